"""Three processes offer to do the nightly job: one does, and tomorrow it is to be done again."""

import os

from kvraft_client import Client, Once, actions
from kvraft_client.recipes import DailyJob

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")


def count(run: Once) -> None:
    """Be done: a write that the store refuses once somebody else has taken over."""
    kv.update("example/nightly/runs", actions.add(1), fence=run)


with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/nightly/")
    kv.delete_prefix("kvraft/once/example/nightly/")  # as if it had never run
    for day in ("2026-11-20", "2026-11-21"):
        for process in ("one", "two", "three"):
            job = DailyJob(kv, "example/nightly")
            done = job.run(day, count)
            print(day, "process", process, "did it" if done else "had nothing to do")
    runs = kv.get("example/nightly/runs")
    print("runs:", runs.value.decode() if runs else 0)
