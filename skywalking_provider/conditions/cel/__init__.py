"""CEL, an opt-in condition language: cel-python in worker processes that can be killed.

The service imports `evaluator`, `worker_process` and `protocol`. All other modules run in the worker only.
"""
