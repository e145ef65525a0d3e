"""Implementation of `skywalking-provider suggest`: an analysis template from the measured past of a service.

- `model`: options, the surveyed past and the suggested metrics.
- `survey`: reads the service, its pods and their minutes from the OAP.
- `traffic`, `verdict_time`, `limits`, `plan`: what the minutes show, and the metrics that follow. Pure.
- `template_text`, `rollout_steps`, `rollout_edit`: the template, and its place in a Rollout. Pure.
- `rehearsal`: backtests of the written template.
- `runner`: the suggestion for one service.
"""
