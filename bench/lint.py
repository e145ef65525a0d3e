"""Measures `skywalking-provider lint` on many files: `python -m bench.lint [--files N]`.

Files of two sizes are linted: a template with one metric; and a template with three metrics (judged, threshold on a
rate, threshold on a latency) and its Rollout. No two files have the same threshold. A new process lints them, so that
its start counts, too. CPU time is reported beside the duration, because it does not depend on what else the machine
does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SMALL = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: canary-{at}, namespace: team-{team}}}
spec:
  metrics:
    - name: success-rate
      interval: 5m
      count: {count}
      successCondition: result >= 0.9{at:04d}
      provider:
        plugin:
          skywalking/metrics:
            sli: success-rate
            window: 5m
            service: service-{at}.team-{team}
            minCalls: 1000
"""
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: canary-{at}, namespace: team-{team}}}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
  metrics:
    - name: success-rate
      interval: 1m
      count: {count}
      provider:
        plugin:
          skywalking/metrics:
            sli: success-rate
            service: service-{at}.team-{team}
            instances: {{podTemplateHash: "{{{{ args.canary-hash }}}}"}}
            compare:
              instances: {{podTemplateHash: "{{{{ args.stable-hash }}}}"}}
    - name: success-rate-threshold
      interval: 5m
      count: 3
      successCondition: result >= 0.9{at:04d}
      provider:
        plugin:
          skywalking/metrics:
            sli: success-rate
            window: 5m
            service: service-{at}.team-{team}
            instances: {{podTemplateHash: "{{{{ args.canary-hash }}}}"}}
            minCalls: 1000
    - name: latency
      interval: 5m
      count: 3
      failureLimit: 1
      successCondition: result < {milliseconds}
      provider:
        plugin:
          skywalking/metrics: {{sli: latency, percentile: 95, window: 5m, service: service-{at}.team-{team}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: service-{at}, namespace: team-{team}}}
spec:
  strategy:
    canary:
      steps:
        - setWeight: 10
        - analysis:
            templates: [{{templateName: canary-{at}}}]
            args:
              - {{name: canary-hash, valueFrom: {{podTemplateHashValue: Latest}}}}
              - {{name: stable-hash, valueFrom: {{podTemplateHashValue: Stable}}}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    files = parser.parse_args().files
    for template in (SMALL, TEMPLATE):
        with tempfile.TemporaryDirectory() as folder:
            for at in range(files):
                text = template.format(at=at, team=at % 20, count=3 + at % 5, milliseconds=100 + at)
                Path(folder, f"{at:05d}.yaml").write_text(text)
            seconds, cpu_seconds, summary = run(folder)
        print(
            f"{summary['files']} files, {summary['metrics']} metrics, {summary['findings']} findings: {seconds:.2f} s,"
            f" {cpu_seconds:.2f} s of CPU time"
        )
    seconds, cpu_seconds, _ = run(os.devnull)
    print(f"the start: {seconds:.2f} s, {cpu_seconds:.2f} s of CPU time")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


def run(path: str) -> tuple[float, float, dict[str, int]]:
    """Lint a path; return duration, CPU time and the summary."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "skywalking_provider", "lint", "-o", "json", "--fail-on", "never", path]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu_seconds, json.loads(output)["summary"]


if __name__ == "__main__":
    sys.exit(main())
