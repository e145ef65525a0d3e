"""Implementation of `skywalking-provider backtest`: past runs of a template, replayed from recorded responses.

- `history`, `series_key`, `slicing`: past minutes in chunks.
- `live_reads`, `chunk_cache`, `cached_reads`: reads of an OAP, kept on disk.
- `recorded_lists`, `recorded_series`, `recorded_queries`, `recorded_windows`, `recorded_oap`: what was read.
- `replay_backend`, `replayed_backends`, `replay_queries`, `replayed_query`: backends and queries of the engine.
- `targets`, `versions`, `version_reads`, `schedule`, `run_planner`: metrics, past versions, and the runs to replay.
- `argo_rules`, `replay`, `outcome`: one run as Argo would have made it, and what follows from all of them.
- `pod_split`, `split_query`: A/A runs of one version.
- `injection`, `injected_query`: injected faults. `changed_targets`: metrics that both apply to.
- `model`, `runner`: the backtest of a template.
- `text_report`, `json_report`: print outcomes.
- `study`, `trade_off`, `margin_study`, `page`: minutes of the runs for pictures, and the page with them.
"""
