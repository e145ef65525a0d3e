"""Plan of a release: platforms, names and addresses of its artifacts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.release.source import ReleaseError

REPOSITORY = "https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking"
IMAGE = "ghcr.io/skywalking-provider/skywalking-provider"
CHART = "ghcr.io/skywalking-provider/charts/skywalking-provider"
PLATFORMS = ("linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64")


@dataclass(frozen=True, slots=True)
class Plan:
    """Platforms of a release.

    Attributes:
        version: Version of the release.
        platforms: Selected platforms.
    """

    version: str
    platforms: tuple[str, ...] = PLATFORMS

    def __post_init__(self) -> None:
        """Reject platforms that no release has, and a release without an image."""
        if unknown := [one for one in self.platforms if one not in PLATFORMS]:
            raise ReleaseError(f"platform {unknown[0]} is not supported. Use {', '.join(PLATFORMS)}.")
        if not self.image_platforms:
            raise ReleaseError("PLATFORMS has no linux platform, which the image needs. Add linux/amd64.")

    @property
    def image_platforms(self) -> tuple[str, ...]:
        """Return the platforms of the image."""
        return tuple(one for one in PLATFORMS if one in self.platforms and one.startswith("linux/"))

    @property
    def bridge_platforms(self) -> tuple[str, ...]:
        """Return the platforms of the bridges. The image of each platform has all bridges for Linux."""
        return tuple(one for one in PLATFORMS if one in self.platforms or one.startswith("linux/"))

    @property
    def image(self) -> str:
        """Return the name of the image with its tag."""
        return f"{IMAGE}:{self.version}"

    @property
    def chart_package(self) -> str:
        """Return the file name of the packaged chart."""
        return f"skywalking-provider-{self.version}.tgz"

    def bridge_url(self, platform: str) -> str:
        """Return the address of a released bridge."""
        return f"{REPOSITORY}/releases/download/v{self.version}/{bridge_name(platform)}"


def bridge_name(platform: str) -> str:
    """Return the file name of a bridge."""
    return f"skywalking-bridge-{platform.replace('/', '-')}"


def parse_platforms(text: str) -> tuple[str, ...]:
    """Return the platforms of a list that is separated by spaces; an empty one means all."""
    return tuple(text.split()) or PLATFORMS


def stamp_image_digest(values: str, digest: str) -> str:
    """Return the chart's values with the digest of the released image.

    Raises:
        ReleaseError: The values do not have exactly one empty digest.
    """
    return _replace_line(values, '  digest: ""', f'  digest: "{digest}"')


def stamp_bridge_checksums(values: str, checksums: Mapping[str, str]) -> str:
    """Return the chart's values with the SHA-256 of the released bridges for Linux, by platform.

    Raises:
        ReleaseError: The values do not have exactly one line without checksums.
    """
    linux = {platform.replace("/", "-"): sha256 for platform, sha256 in checksums.items() if "linux/" in platform}
    stamped = ", ".join(f'{platform}: "{sha256}"' for platform, sha256 in sorted(linux.items()))
    return _replace_line(values, '    sha256: {linux-amd64: "", linux-arm64: ""}', f"    sha256: {{{stamped}}}")


def _replace_line(values: str, line: str, new: str) -> str:
    before, *after = values.split(f"\n{line}\n")
    if len(after) != 1:
        raise ReleaseError(
            f"charts/skywalking-provider/values.yaml does not have exactly one line `{line}`. Restore it."
        )
    return f"{before}\n{new}\n{after[0]}"


def format_checksums(checksums: Iterable[tuple[str, str]]) -> str:
    """Return the text of SHA256SUMS for pairs of a file name and its SHA-256."""
    return "".join(f"{checksum}  {name}\n" for name, checksum in sorted(checksums))
