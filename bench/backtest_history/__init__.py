"""Acceptance of `backtest` on a real OAP: eight hours of generated history, and the simulation with the same noise.

- `history`: draws the history: noise, a shared incident, a bad and a good deploy.
- `oap`: starts an OAP of the lab, and feeds it with the history.
- `same_runs`: judges the A/A runs of the OAP again.
- `agreement`: A/A runs of simulated histories, for the rate that is expected.
"""
