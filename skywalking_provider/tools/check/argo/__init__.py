"""Rules that Argo Rollouts 1.10 and the Kubernetes API server apply to a template, without a cluster. No I/O.

- `schema`: keys and types, by the schema of Argo's CRDs.
- `validation`, `durations`: Argo's validation of metrics, with Argo's messages.
- `name_rules`: rules that select metrics by name, such as `dryRun`.

`bridge/internal/argooracle` records what Argo itself finds. A test compares these modules with the records.
"""
