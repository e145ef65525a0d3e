"""Platforms, names and texts of a release."""

from pathlib import Path

import pytest
import yaml

from tools.release.plan import (
    IMAGE,
    PLATFORMS,
    Plan,
    bridge_name,
    format_checksums,
    parse_platforms,
    stamp_bridge_checksums,
    stamp_image_digest,
)
from tools.release.source import ReleaseError

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32


def test_platforms_default_to_all() -> None:
    assert parse_platforms("  ") == PLATFORMS
    assert parse_platforms("linux/arm64 darwin/arm64") == ("linux/arm64", "darwin/arm64")


def test_plan_for_one_platform_has_its_image_and_all_bridges_of_the_image() -> None:
    plan = Plan("1.2.3", ("linux/amd64",))

    assert plan.image_platforms == ("linux/amd64",)
    assert plan.bridge_platforms == ("linux/amd64", "linux/arm64")
    assert Plan("1.2.3").bridge_platforms == PLATFORMS


@pytest.mark.parametrize(
    ("platforms", "message"),
    [
        (("linux/riscv64",), "platform linux/riscv64 is not supported. Use linux/amd64, linux/arm64, "),
        (("darwin/arm64",), "PLATFORMS has no linux platform, which the image needs. Add linux/amd64."),
    ],
)
def test_plan_without_a_possible_image_is_rejected(platforms: tuple[str, ...], message: str) -> None:
    with pytest.raises(ReleaseError, match=message.replace(".", "[.]")):
        Plan("1.2.3", platforms)


def test_bridge_has_the_address_of_the_release_on_github() -> None:
    assert bridge_name("darwin/arm64") == "skywalking-bridge-darwin-arm64"
    assert Plan("1.2.3").bridge_url("linux/amd64") == (
        "https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking/releases/download/v1.2.3/"
        "skywalking-bridge-linux-amd64"
    )


def test_stamped_values_of_the_chart_differ_by_the_digest_only() -> None:
    values = (ROOT / "charts/skywalking-provider/values.yaml").read_text()
    stamped = stamp_image_digest(values, DIGEST)

    parsed = yaml.safe_load(stamped)
    assert parsed["image"].pop("digest") == DIGEST
    assert parsed == {**(original := yaml.safe_load(values)), "image": parsed["image"]}
    assert original["image"] == parsed["image"] | {"digest": ""}
    with pytest.raises(ReleaseError, match="exactly one line"):
        stamp_image_digest(stamped, DIGEST)


def test_stamped_values_of_the_chart_have_the_checksums_of_the_bridges_for_linux() -> None:
    values = (ROOT / "charts/skywalking-provider/values.yaml").read_text()
    checksums = {platform: f"{number:064}" for number, platform in enumerate(PLATFORMS)}
    stamped = stamp_bridge_checksums(values, checksums)

    original, parsed = yaml.safe_load(values), yaml.safe_load(stamped)
    assert parsed["bridge"]["release"].pop("sha256") == {"linux-amd64": f"{0:064}", "linux-arm64": f"{1:064}"}
    assert original["bridge"]["release"].pop("sha256") == {"linux-amd64": "", "linux-arm64": ""}
    assert parsed == original
    with pytest.raises(ReleaseError, match="exactly one line"):
        stamp_bridge_checksums(stamped, checksums)


def test_chart_downloads_the_bridge_from_the_address_of_the_release() -> None:
    values = yaml.safe_load((ROOT / "charts/skywalking-provider/values.yaml").read_text())
    release = values["bridge"]["release"]

    url = f"{release['url']}/v1.2.3/skywalking-bridge-{release['platform']}"
    assert url == Plan("1.2.3").bridge_url("linux/amd64")
    assert values["image"]["repository"] == IMAGE


def test_checksums_are_sorted_lines_that_sha256sum_reads() -> None:
    assert format_checksums([("b", "2" * 64), ("a", "1" * 64)]) == f"{'1' * 64}  a\n{'2' * 64}  b\n"
