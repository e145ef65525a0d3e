"""Simulation of rollouts with known failures: the judgement of `compare` and `objective` beside other judges.

`make simulate` runs it. docs/judgement.md has the tables, bench/results/simulation.json the counts.
"""
