"""One real measurement of every metric of a template, shown: what `skywalking-provider check` is made of.

`template` and `arguments` read what Argo would read, `measuring` lets the engine measure with every request kept,
`buckets` finds the series in the answers, `chart`, `text` and `objects` show them to a person and to a program.
"""
