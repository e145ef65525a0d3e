#!/usr/bin/env python3
"""Write the schema of analysis templates and runs that `check` uses, from the CRDs of the Argo Rollouts Go module.

Usage: python tools/crd_schema.py [--check]. The version is that of bridge/go.mod; `go mod download` fetches the module.
Descriptions are removed, and parts that `check` does not read are cut: the pod of a Job, and the status of a run.
ClusterAnalysisTemplate has the schema of AnalysisTemplate.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "skywalking_provider/tools/check/argo/crd_schema.json"
MODULE = "github.com/argoproj/argo-rollouts"
CRDS = {"AnalysisTemplate": "analysis-template-crd.yaml", "AnalysisRun": "analysis-run-crd.yaml"}
CLUSTER_CRD = "cluster-analysis-template-crd.yaml"
KEPT = ("type", "required", "items", "additionalProperties")
ANY_TYPE = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def main() -> int:
    """Write the schema, or compare it with --check."""
    (version,) = re.findall(rf"{MODULE} (v\S+)", (ROOT / "bridge/go.mod").read_text(encoding="utf-8"))
    cache = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    folder = Path(cache) / f"{MODULE}@{version}" / "manifests/crds"
    kinds = {kind: read_schema(folder / name) for kind, name in CRDS.items()}
    if read_schema(folder / CLUSTER_CRD) != kinds["AnalysisTemplate"]:
        raise SystemExit("ClusterAnalysisTemplate differs from AnalysisTemplate: write it, too")
    rows = ",\n".join(f'"{kind}": {json.dumps(one, separators=(",", ":"))}' for kind, one in kinds.items())
    text = f'{{\n"source": "{MODULE} {version} manifests/crds",\n{rows}\n}}\n'
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    return 0


def read_schema(path: Path) -> dict[str, Any]:
    """Return the reduced schema of one CRD."""
    crd = yaml.safe_load(path.read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    schema = reduce(version["schema"]["openAPIV3Schema"])
    job = schema["properties"]["spec"]["properties"]["metrics"]["items"]["properties"]["provider"]["properties"]["job"]
    job["properties"]["spec"] = {"type": "object"}
    if "status" in schema["properties"]:
        schema["properties"]["status"] = {"type": "object"}
    return schema


def reduce(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a schema that `check` reads."""
    kept = {key: reduce(one) if isinstance(one, dict) else one for key, one in schema.items() if key in KEPT}
    kept |= {key: True for key in ANY_TYPE if schema.get(key)}
    if "properties" in schema:
        kept["properties"] = {key: reduce(one) for key, one in schema["properties"].items()}
    return kept


if __name__ == "__main__":
    sys.exit(main())
