"""What a watcher sees of a run that goes on: all of it from its history and its marks."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from kvraft_chaos.history import Recorder
from kvraft_chaos.run.directory import Mark

RATE_SECONDS = 2.0
"""What the rate is an average of: long enough not to flicker, short enough to show a fault."""
LAST_EVENTS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """At one moment."""

    seconds: float
    phase: str
    leader: str
    term: int | None
    active: tuple[str, ...]
    """Faults that are on, and whom they struck."""
    ok: int
    fail: int
    info: int
    per_second: float
    last: tuple[str, ...]
    """The last marks in words."""


class Scoreboard:
    """Hears every mark; counts what the recorder has when it is asked. Safe from any thread."""

    def __init__(
        self, recorder: Recorder, *, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._recorder, self._now_ns = recorder, now_ns
        self._begun_ns = now_ns()
        self._lock = threading.Lock()
        self._phase, self._leader, self._term = "starting", "", None
        self._active: dict[int | None, str] = {}
        self._last: deque[str] = deque(maxlen=LAST_EVENTS)
        self._counted = 0
        self._counts: Counter[str] = Counter()
        self._recent: deque[int] = deque()
        """When the answers of the last RATE_SECONDS came."""

    def saw(self, mark: Mark) -> None:
        """Take note of a mark."""
        with self._lock:
            self._last.append(f"{self._seconds(mark.time_ns):6.1f} s  {words(mark)}")
            match mark.type:
                case "phase":
                    self._phase = mark.name
                case "leader":
                    self._leader, self._term = mark.name, mark.value
                case "strike":
                    self._active[mark.stroke] = f"{mark.name} ({mark.detail})"
                case "heal":
                    self._active.pop(mark.stroke, None)

    def score(self) -> Score:
        with self._lock:
            now_ns = self._now_ns()
            self._count(now_ns)
            return Score(
                self._seconds(now_ns),
                self._phase,
                self._leader,
                self._term,
                tuple(self._active.values()),
                self._counts["ok"],
                self._counts["fail"],
                self._counts["info"],
                len(self._recent) / RATE_SECONDS,
                tuple(self._last),
            )

    def _count(self, now_ns: int) -> None:
        events = self._recorder.events
        for index in range(self._counted, len(events)):
            event = events[index]
            self._counts[event.type] += 1
            if event.type != "invoke":
                self._recent.append(event.time_ns)
        self._counted = sum(self._counts.values())
        while self._recent and self._recent[0] < now_ns - RATE_SECONDS * 1e9:
            self._recent.popleft()

    def _seconds(self, time_ns: int) -> float:
        return (time_ns - self._begun_ns) / 1e9


def words(mark: Mark) -> str:
    """A mark as a line for people."""
    match mark.type:
        case "phase":
            return f"phase {mark.name}" + (f": {mark.detail}" if mark.detail else "")
        case "leader":
            return f"{mark.name} leads term {mark.value}"
        case "recovered":
            value = mark.value
            took = f"a leader {value['leader_ms']} ms, operations {value['operations_ms']} ms"
            return f"recovered: {took} after the last heal"
        case _:
            return f"{mark.type} {mark.name}" + (f": {mark.detail}" if mark.detail else "")
