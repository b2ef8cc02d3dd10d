"""Histories told call by call, for checkers: what was asked, what came back, and when."""

from itertools import count

from kvraft_chaos.history import Event

MS = 1_000_000


class Story:
    """Every event is `step_ms` after the one before, unless `at` says when it is."""

    def __init__(self, step_ms=1):
        self.events = []
        self._step_ms = step_ms
        self._ms = 0
        self._processes = count()

    def at(self, ms):
        assert ms >= self._ms, "time goes on"
        self._ms = ms
        return self

    def send(self, f, key=None, **argument):
        """Ask, and leave it open: `end` it later, or nobody ever knows."""
        call = next(self._processes), f, key
        self._tell(call, "invoke", {name.rstrip("_"): value for name, value in argument.items()})
        return call

    def end(self, call, type_="ok", result=None, error=None):
        self._tell(call, type_, result, error)

    def ok(self, result, f, key=None, **argument):
        self.end(self.send(f, key, **argument), "ok", result)

    def fail(self, error, f, key=None, **argument):
        self.end(self.send(f, key, **argument), "fail", error=error)

    def info(self, f, key=None, **argument):
        self.end(self.send(f, key, **argument), "info", error="UNKNOWN_RESULT")

    def log(self, prefix, *rows):
        self.ok([list(row) for row in rows], "log", prefix)

    def _tell(self, call, type_, value=None, error=None):
        process, f, key = call
        self.events.append(
            Event(len(self.events), self._ms * MS, process, type_, f, key, value, error)
        )
        self._ms += self._step_ms
