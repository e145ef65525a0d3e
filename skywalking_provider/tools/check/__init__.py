"""Implementation of `skywalking-provider check`: one real measurement of every metric of a template.

- `template`, `template_args`, `selection`: read what Argo would read, and select the metrics to measure.
- `recording`, `runner`: measure them by the service's own engine, and record each request.
- `chart_rows`, `text_chart`, `text_report`, `json_report`: print the results as text or JSON.
"""
