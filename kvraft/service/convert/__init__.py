"""Requests to commands, results to responses: the only place that knows both shapes.

A request that cannot mean anything is refused here, NOT_APPLIED; the error names the field, what is
allowed, and what was given. What only the store can judge is left to it.
"""
