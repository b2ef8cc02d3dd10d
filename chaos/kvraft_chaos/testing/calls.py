"""A recorder for the calls of a user's own program."""

import asyncio
import functools
import inspect
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, Self, TypeVar, cast

from kvraft_chaos.history import Event, Recorder
from kvraft_client import Outcome

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Call:
    """One call under way. What becomes of it is recorded at the end of its `with` block.

    Without an error it is `ok` with `result`. With one it `fail`ed if the error says NOT_APPLIED,
    and is unknown (`info`) else. Or say what you know: `ok`, `fail`, `unknown`.
    """

    def __init__(self, history: "History", f: str, key: str | None, argument: Any) -> None:
        """See `History.call`."""
        self._history, self._f, self._key, self._argument = history, f, key, argument
        self._said: Literal["ok", "fail", "info"] | None = None
        self._process = -1
        self.result: Any = None
        """The answer: anything that JSON can say; bytes are taken for text."""

    def ok(self, result: Any = None) -> None:
        """It took effect, and this is the answer."""
        self._said, self.result = "ok", result

    def fail(self) -> None:
        """It certainly had no effect, and its answer says nothing."""
        self._said = "fail"

    def unknown(self) -> None:
        """It may have had its effect, or have it later."""
        self._said = "info"

    def __enter__(self) -> Self:
        self._process = self._history.begin(self._f, self._key, self._argument)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        said = self._said
        if said is None and error is None:
            said = "ok"
        elif said is None:
            certain = getattr(error, "outcome", None) == Outcome.NOT_APPLIED
            said = "fail" if certain else "info"
        words = None if error is None else f"{type(error).__name__}: {error}"
        self._history.end(self._process, said, self._f, self._key, result=self.result, error=words)


class History:
    """Calls of all threads and tasks, in the order of real time. Each is a process of its own."""

    def __init__(self, path: Path | None = None) -> None:
        """Write every event to the file at once too, so that a crash leaves it."""
        self.path = path
        self._recorder = Recorder(path)
        self._lock = threading.Lock()
        self._processes: dict[object, int] = {}
        self._busy: set[int] = set()

    @property
    def events(self) -> Sequence[Event]:
        """What was recorded so far."""
        return self._recorder.events

    def call(self, f: str, key: str | None = None, argument: Any = None) -> Call:
        """`with history.call("put", "seat", {"value": "ann"}) as call: ...; call.result = ...`."""
        return Call(self, f, key, argument)

    def recorded(
        self,
        f: str,
        *,
        key: Callable[..., str] | str | None = None,
        argument: Callable[..., Any] | None = None,
        result: Callable[[Any], Any] = lambda value: value,
    ) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
        """Record every call of a function, async or not.

        `key` and `argument` are made of its arguments, `result` of what it returns.
        """

        def begun(*given: Any, **named: Any) -> Call:
            said = argument(*given, **named) if argument else None
            return self.call(f, key(*given, **named) if callable(key) else key, said)

        def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def awaited(*given: Any, **named: Any) -> Any:
                    with begun(*given, **named) as call:
                        value = await function(*given, **named)
                        call.result = result(value)
                    return value

                return cast("Callable[Arguments, Result]", awaited)

            @functools.wraps(function)
            def called(*given: Arguments.args, **named: Arguments.kwargs) -> Result:
                with begun(*given, **named) as call:
                    value = function(*given, **named)
                    call.result = result(value)
                return value

            return called

        return decorate

    def close(self) -> None:
        """Close the file."""
        self._recorder.close()

    def begin(self, f: str, key: str | None, argument: Any) -> int:
        """Record an invoke; the number of the process that made it."""
        caller, value = _caller(), _json(argument)
        with self._lock:
            process = self._processes.get(caller, -1)
            if process < 0 or process in self._busy:  # a call within a call
                process = self._recorder.process()
                self._processes.setdefault(caller, process)
            self._busy.add(process)
        self._recorder.record(process, "invoke", f, key=key, value=value)
        return process

    def end(
        self,
        process: int,
        said: Literal["ok", "fail", "info"],
        f: str,
        key: str | None,
        *,
        result: Any,
        error: str | None,
    ) -> None:
        """Record what became of it. After an unknown outcome its caller is a new process."""
        try:
            value = _json(result) if said == "ok" else None
        except (TypeError, ValueError):
            self.end(process, "info", f, key, result=None, error="its result is not JSON")
            raise
        self._recorder.record(process, said, f, key=key, value=value, error=error)
        with self._lock:
            if said != "info":
                self._busy.discard(process)
                return
            for caller in [each for each, number in self._processes.items() if number == process]:
                del self._processes[caller]


def _json(value: Any) -> Any:
    """As it is now, and as it will be read back; bytes become text. TypeError for what is none."""
    return json.loads(json.dumps(value, default=_text))


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    raise TypeError(f"a history holds what JSON can say, not {type(value).__name__}: {value!r}")


def _caller() -> object:
    """Who asks: the running task, else the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident() if task is None else task
