"""Drills: a failure played on a private cluster, and what a naive program and the store make of it.

One module a drill, each with `DRILL`; `stage` tells it, `ground` is the cluster, `run` plays it.
"""
