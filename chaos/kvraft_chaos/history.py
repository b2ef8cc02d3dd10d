"""Histories: what clients asked and heard, one JSON event a line, in Jepsen's words.

`invoke` is written before a request leaves, its completion after the answer came: `ok` (it took
effect and this is the answer), `fail` (it certainly had no effect) or `info` (nobody knows). After
an `info` the process is retired, because its operation may still take effect at any later time.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, TextIO, cast

EventType = Literal["invoke", "ok", "fail", "info"]
EVENT_TYPES: tuple[EventType, ...] = ("invoke", "ok", "fail", "info")

MAX_EVENTS = 2_000_000
"""Bound of one history: beyond it neither memory nor a checker would keep up."""


class HistoryError(Exception):
    """A history that cannot be judged: says the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Event:
    index: int
    time_ns: int
    """On one monotonic clock for all processes of the history."""
    process: int
    type: EventType
    f: str
    key: str | None = None
    value: Any = None
    """The argument of an invoke, the answer of an ok."""
    error: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An invoke with its completion. `completed` None: unknown, so it may happen at any time."""

    process: int
    f: str
    key: str | None
    argument: Any
    result: Any
    invoked: int
    """Index of the invoke."""
    completed: int | None
    node: str | None = None


class Recorder:
    """Appends events to memory and to a file, from any thread, in the order of real time."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        max_events: int = MAX_EVENTS,
    ) -> None:
        self.events: list[Event] = []
        self._now_ns = now_ns
        self._max_events = max_events
        self._lock = threading.Lock()
        self._processes = 0
        self._file: TextIO | None = None
        if path is not None:  # line by line, so that a run that is killed leaves its history
            self._file = path.open("w", buffering=1, encoding="utf-8")

    @property
    def is_nearly_full(self) -> bool:
        """Whether what is left is for what is read last."""
        return len(self.events) >= self._max_events - self._max_events // 100

    def process(self) -> int:
        """A process number that nobody had before."""
        with self._lock:
            self._processes += 1
            return self._processes - 1

    def record(
        self,
        process: int,
        event_type: EventType,
        f: str,
        *,
        key: str | None = None,
        value: Any = None,
        error: str | None = None,
        node: str | None = None,
    ) -> Event:
        with self._lock:
            if len(self.events) >= self._max_events:
                raise HistoryError(f"the history is full: {self._max_events} events")
            index, now_ns = len(self.events), self._now_ns()
            event = Event(index, now_ns, process, event_type, f, key, value, error, node)
            self.events.append(event)
            if self._file is not None:
                self._file.write(encode_event(event) + "\n")
            return event

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def encode_event(event: Event) -> str:
    return json.dumps(asdict(event), ensure_ascii=False, separators=(",", ":"))


def load(path: Path) -> list[Event]:
    """Read a JSONL file. HistoryError names the line of a truncated or unknown event."""
    with path.open(encoding="utf-8") as lines:
        try:
            events = list(decode_events(lines, str(path)))
        except UnicodeDecodeError as error:
            raise HistoryError(f"{path}: not UTF-8: {error.reason}") from error
    operations(events)
    return events


def decode_events(lines: Iterable[str], name: str = "history") -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if number > MAX_EVENTS:
            raise HistoryError(f"{where}: more than {MAX_EVENTS} events")
        yield _event(decode_line(line, where), where, expected_index=number - 1)


def decode_line(line: str, where: str) -> Any:
    """Read one whole line of JSON; HistoryError says where it is none."""
    if not line.endswith("\n"):
        raise HistoryError(f"{where}: truncated: the last line has no end")
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"{where}: not JSON: {error}") from error


def _event(given: Any, where: str, *, expected_index: int) -> Event:
    if not isinstance(given, dict):
        raise HistoryError(f"{where}: an event is an object, not {type(given).__name__}")
    unknown = given.keys() - Event.__dataclass_fields__.keys()
    if unknown:
        raise HistoryError(f"{where}: unknown fields {sorted(unknown)}")
    for field in ("index", "time_ns", "process"):
        if not isinstance(given.get(field), int):
            raise HistoryError(f"{where}: {field} must be an integer, not {given.get(field)!r}")
    if given.get("type") not in EVENT_TYPES:
        raise HistoryError(f"{where}: unknown event type {given.get('type')!r}")
    if not isinstance(given.get("f"), str):
        raise HistoryError(f"{where}: f must be a string, not {given.get('f')!r}")
    for field in ("key", "error", "node"):
        if not isinstance(given.get(field), str | None):
            raise HistoryError(f"{where}: {field} must be a string, not {given.get(field)!r}")
    if given["index"] != expected_index:
        raise HistoryError(f"{where}: index {given['index']}, but {expected_index} comes here")
    return Event(**cast("dict[str, Any]", given))


def operations(events: Iterable[Event]) -> list[Operation]:
    """Pair every invoke with its completion; operations that certainly failed are left out."""
    pending: dict[int, Event] = {}
    retired: set[int] = set()
    found: list[Operation] = []
    for event in events:
        where = f"event {event.index}: process {event.process}"
        if event.type == "invoke":
            if event.process in pending:
                raise HistoryError(f"{where} invokes {event.f} while another call is open")
            if event.process in retired:
                raise HistoryError(f"{where} invokes {event.f} after an unknown outcome")
            pending[event.process] = event
            continue
        invoke = pending.pop(event.process, None)
        if invoke is None or invoke.f != event.f or invoke.key != event.key:
            raise HistoryError(f"{where} completes {event.f} {event.key}, which is not open")
        if event.type == "ok":
            found.append(_operation(invoke, event.index, event.value))
        elif event.type == "info":
            retired.add(event.process)
            found.append(_operation(invoke, None, None))
    found.extend(_operation(invoke, None, None) for invoke in pending.values())
    return sorted(found, key=lambda operation: operation.invoked)


def _operation(invoke: Event, completed: int | None, result: Any) -> Operation:
    return Operation(
        invoke.process,
        invoke.f,
        invoke.key,
        invoke.value,
        result,
        invoke.index,
        completed,
        invoke.node,
    )
