# Generated from _async/daily_job.py by scripts/generate_sync_client.py: do not edit.
"""A daily job: of all processes that offer to do it, one does, once a day."""

from collections.abc import Callable

from kvraft_client._sync.client import Client
from kvraft_client._sync.once import Once
from kvraft_client.errors import LockTimeout

Work = Callable[[Once], object]
"""Does the day's work; `fence=` its argument in every write, and the store refuses those of a
process that was paused for so long that another one took over."""


class DailyJob:
    """A job under the lock `name`, with a marker for each day that it was done.

    The caller says which day it is: no clock decides. Each process calls `run` now and then, and
    all but one are told False at once.
    """

    def __init__(
        self, kv: Client, name: str, *, ttl: float = 10.0, retry: bool = False
    ) -> None:
        """Name the job. `ttl`: seconds after which the lock of a process that died is free.

        `retry`: a run that raised or died is run again by the next call, so at least once a day;
        else not, so at most once.
        """
        self._kv, self._name, self._ttl, self._retry = kv, name, ttl, retry

    def run(self, day: str, work: Work) -> bool:
        """Do the day's work, if it is to be done and nobody is at it; return whether it was done
        here, to the end. An error of `work` is raised. LockLost: the lock was lost on the way.
        """
        job = self._kv.once(self._name, key=day, ttl=self._ttl, wait=0, retry=self._retry)
        begun = False
        try:
            with job:
                begun = bool(job)
                if begun:
                    work(job)
        except LockTimeout:
            if begun:  # by the work, of another lock
                raise
        return job.ran
