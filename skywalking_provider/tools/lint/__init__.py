"""Offline check of analysis templates: mistakes that a rollout would show too late, or never.

- `sources`, `yaml_tree`: files, folders and standard input; YAML with positions and limits.
- `objects`, `blocks`, `arguments`: what a template says, with stand-ins for arguments without a value.
- `rules`: one module for each subject. `registry` has the id, severity and summary of each rule.
- `prober`, `result_shapes`: conditions, evaluated on possible results by the service's own evaluators.
- `suppressions`: comments in a file that accept a finding.
- `linter`: all of them in order. `reports`: the output formats.
"""
