"""Check that Argo CD restores what a user changes in the cluster, as `selfHeal` of examples/argo-cd says.

That it leaves the weights of a canary alone is a result of the talk itself: each step must have its weight.
"""

import asyncio
import json
import time

from bench.talk.lab_parts import LabParts
from bench.talk.mesh import NAMESPACE

_CHANGED_LIMIT = 7
_SECONDS = 60.0


async def is_restored(parts: LabParts, rollout: str) -> bool:
    """Change a Rollout's revisionHistoryLimit and return whether Argo CD restores it within a minute."""
    resource = ("rollouts.argoproj.io", rollout, "-n", NAMESPACE)
    patch = json.dumps({"spec": {"revisionHistoryLimit": _CHANGED_LIMIT}})
    await parts.kubectl("patch", *resource, "--type", "merge", "-p", patch)
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        limit = await parts.kubectl("get", *resource, "-o", "jsonpath={.spec.revisionHistoryLimit}")
        if int(limit) != _CHANGED_LIMIT:
            return True
        await asyncio.sleep(1)
    return False
