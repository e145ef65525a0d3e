"""Implementation of `skywalking-provider backtest`: past runs of a template, replayed from recorded responses.

- `history`, `series_key`, `slicing`, `chunk_cache`, `live_reads`, `recorded_oap`: past minutes of an OAP, read once.
- `replay_backend`, `replay_queries`, `replayed_query`: backend and queries of the engine that use them.
- `targets`, `versions`, `version_reads`, `schedule`: metrics, past versions of a service, and the runs to replay.
- `argo_rules`, `replay`, `outcome`: one run as Argo would have made it, and what follows from all of them.
- `pod_split`, `split_query`: A/A runs of one version.
- `injection`, `injected_query`: injected faults. `changed_targets`: metrics that both apply to.
- `model`, `runner`: the backtest of a template.
- `text_report`, `json_report`: print outcomes.
- `study`, `trade_off`, `margin_study`, `page`: minutes of the runs for pictures, and the page with them.
"""
