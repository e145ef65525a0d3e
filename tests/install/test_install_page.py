"""Order and options of the commands in docs/install.md."""

import re

from tests.install.install_tools import ROOT

PAGE = (ROOT / "docs" / "install.md").read_text()


def commands(section: str) -> list[str]:
    """Return the commands of a section in order, each in one line."""
    text = re.split(r"^#+ ", PAGE.partition(f"# {section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    joined = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if re.match(r"\s*(helm|kubectl) ", line)]


def place(section: str, begin: str) -> int:
    return next(number for number, command in enumerate(commands(section)) if command.startswith(begin))


def test_page_waits_for_the_new_pods_before_it_reads_their_logs() -> None:
    waits = place("Sidecar", "kubectl -n argo-rollouts rollout status deploy/argo-rollouts")

    assert place("Sidecar", "helm upgrade argo-rollouts") < waits
    assert waits < place("Sidecar", "kubectl -n argo-rollouts logs deploy/argo-rollouts")
    assert waits < place("Sidecar", "kubectl -n argo-rollouts exec deploy/argo-rollouts")


def test_page_waits_for_the_service_that_the_controller_downloads_from() -> None:
    [upgrade] = commands("Bridge delivery by HTTP")

    assert upgrade.startswith("helm upgrade --install skywalking-provider ")
    assert upgrade.endswith(" --wait")


def test_readme_has_the_same_four_lines_as_the_page() -> None:
    block = re.compile(r"^```\n(helm upgrade --install .*?)^```$", re.MULTILINE | re.DOTALL)
    [four_lines] = block.findall((ROOT / "README.md").read_text())

    assert four_lines in block.findall(PAGE.partition("## Quick start\n")[2].partition("\n## ")[0])
    assert len(four_lines.splitlines()) == 4


def test_page_removes_the_pod_of_helm_test_last() -> None:
    uninstall, delete = commands("Uninstall")[-2:]

    assert uninstall == "helm uninstall skywalking-provider -n argo-rollouts"
    assert delete == "kubectl -n argo-rollouts delete pod skywalking-provider-doctor --ignore-not-found"
