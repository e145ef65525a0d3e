"""Implementation of `skywalking-provider judge`: the judgement of counts from a file.

- `numbers`, `case`: the values that both forms share, and the case that is judged.
- `csv_table`, `options`: CSV for people, with limits in the units of a block.
- `json_lines`: JSON lines for test vectors, with limits as failure rates.
- `judging`: runs the judge, and keeps the evidence after each minute.
- `verdict_text`, `text_report`: print tables and verdicts.
"""
