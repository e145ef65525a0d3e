"""HTML file of `backtest --html`, with pictures. Matplotlib is imported here only, which is an optional package.

- `canvas`: figures as SVG within a page.
- `chart_values`: the numbers that pictures show. Pure.
- `timeline`, `run_details`, `calendar`, `trade_off_chart`: one picture each.
- `html`: the page.
"""
