"""The twin of `storage.writer.LogWriter`: the threads that wait for the disk, as scheduled events.

A batch reaches the disk when its event is due; a crash before that leaves any part of it behind, by
running the real code up to a drawn I/O step.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kvraft.storage.errors import StorageError
from kvraft.storage.wal import Batch, WriteAheadLog
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.disk import Crash, SimulatedDisk, Step

_T = TypeVar("_T")

STALL_PROBABILITY = 0.01


@dataclass(slots=True)
class DiskSpeed:
    """How long things take, in seconds."""

    fsync: tuple[float, float] = (0.001, 0.001)
    task: tuple[float, float] = (0.002, 0.002)
    """A snapshot's block or commit."""
    stall: float = 0.0
    """Longest extra pause of one fsync in a hundred."""
    extra: float = 0.0
    """A fault: added to every fsync."""
    hangs: bool = False
    """A fault: no fsync that begins now ever returns."""

    def draw(self, chance: Chance, bounds: tuple[float, float]) -> float:
        """Return the duration of the next thing."""
        seconds = chance.between(*bounds) + self.extra
        if self.stall and chance.happens(STALL_PROBABILITY):
            seconds += chance.between(0.05, self.stall)
        return seconds


class SimulatedWriter:
    """Group commit on virtual time; the surface of `LogWriter`."""

    def __init__(
        self,
        wal: WriteAheadLog,
        *,
        speed: DiskSpeed,
        chance: Chance,
        after: Callable[[float, Callable[[], None]], None],
        on_durable: Callable[[int], None],
        on_error: Callable[[StorageError], None],
    ) -> None:
        """`after` runs something later in the same process."""
        self._wal = wal
        self._speed = speed
        self._chance = chance
        self._after = after
        self._on_durable = on_durable
        self._on_error = on_error
        self._batch: Batch | None = None
        self._tasks: list[tuple[Callable[[], object], Callable[[object], None]]] = []
        self._results: deque[tuple[Callable[[object], None], object]] = deque()

    def kick(self) -> None:
        """Write what is buffered, at once if the disk is idle, else after the batch in flight."""
        if self._batch is not None:
            return
        self._batch = self._wal.take()
        if self._batch is not None and not self._speed.hangs:
            self._after(self._speed.draw(self._chance, self._speed.fsync), self._write)

    def submit(self, fn: Callable[[], _T], done: Callable[[_T], None]) -> None:
        """Run `fn` on the second thread, in order of submission, then `done(result)`."""
        self._tasks.append((fn, done))  # type: ignore[arg-type]  # the pair belongs together
        if len(self._tasks) == 1:
            self._after(self._speed.draw(self._chance, self._speed.task), self._run_task)

    def crash(self, disk: SimulatedDisk) -> None:
        """The process dies: of what is in flight any number of I/O steps were done."""
        if self._batch is not None and self._chance.happens(0.6):
            batch = self._batch
            _half_done(disk, self._chance, lambda: self._wal.write(batch))
        if self._tasks and self._chance.happens(0.6):
            _half_done(disk, self._chance, self._tasks[0][0])

    def _write(self) -> None:
        batch = self._batch
        assert batch is not None
        try:
            durable = self._wal.write(batch)
        except StorageError as error:
            self._batch = None  # it was done as far as it goes: the crash that follows adds nothing
            self._on_error(error)
            return
        self._batch = None
        self.kick()  # first, so that the disk does not idle while the loop acts on this one
        self._on_durable(durable)

    def _run_task(self) -> None:
        fn, done = self._tasks[0]
        try:
            result = fn()
        except StorageError as error:
            self._tasks.clear()
            self._on_error(error)
            return
        del self._tasks[0]
        self._results.append((done, result))
        self._after(self._speed.draw(self._chance, self._speed.task), self._tell_result)
        if self._tasks:
            self._after(self._speed.draw(self._chance, self._speed.task), self._run_task)

    def _tell_result(self) -> None:
        """The loop hears of a task when it comes to it; the thread may be far ahead by then."""
        done, result = self._results.popleft()
        done(result)


def crash_at(steps: int, written: int) -> Callable[[Step], None]:
    """Return an `on_step` that ends the process at the `steps`th step from now."""
    left = steps

    def on_step(step: Step) -> None:
        nonlocal left
        if left == 0:
            raise Crash(min(written, len(step.data)))
        left -= 1

    return on_step


def _half_done(disk: SimulatedDisk, chance: Chance, work: Callable[[], object]) -> None:
    before = disk.on_step
    disk.on_step = crash_at(chance.below(8), chance.below(3000))
    try:
        work()
    except (Crash, StorageError):
        pass
    finally:
        disk.on_step = before
