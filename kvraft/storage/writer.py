"""The threads that wait for the disk, so that the loop does not: but for one that is quick."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Literal, TypeVar

from kvraft.storage.errors import DiskFailed, StorageError
from kvraft.storage.wal import Batch, WriteAheadLog

IDLE_MARK_S = 0.05
"""A log idle for this long gets a mark: soon enough to matter, too late to disturb a busy log."""
QUICK_MS = 1.0
"""Where writes take less, the loop waits itself: the way to a thread and back is two wake-ups of a
process, and costs more (measured: a fifth of the time of a put, 3 processes on 2 cores)."""
UNKNOWN_MS = 10.0
"""What a write takes until the first are done: the thread waits."""
MEAN_WRITES = 16
"""What writes take is their mean, fading over so many."""
HICCUP_MS = 3.0
STALL_MS = 50.0
"""A write counts for at most a hiccup in that mean, for all a stall: a hiccup is as often the busy
machine's as the disk's, and the thread, which takes longer there, would keep the mean high."""
QUICK_BYTES = 16 << 10
"""Of a batch. A larger one is of many callers, for whom the loop has other work meanwhile."""

_T = TypeVar("_T")


class LogWriter:
    """Group commit: one batch in flight, the next gathers meanwhile; a second thread for the rest.

    All methods and callbacks belong to the loop's thread, to which `call_soon_threadsafe` leads.
    The first failure is reported to `on_error` once; after it nothing is written or reported.
    """

    def __init__(
        self,
        wal: WriteAheadLog,
        call_soon_threadsafe: Callable[..., object],
        on_durable: Callable[[int], None],
        on_error: Callable[[StorageError], None],
    ) -> None:
        self._wal = wal
        self._call_soon_threadsafe = call_soon_threadsafe
        self._on_durable = on_durable
        self._on_error = on_error
        self._started_at: float | None = None
        self._ended_at = 0.0
        self._marked = True
        self._mean_ms = UNKNOWN_MS
        self._stopped = False
        self.batches = 0
        self.slowest_ms = 0.0
        self._recent_ms = 0.0
        self._batches: SimpleQueue[Batch | Literal["mark"] | None] = SimpleQueue()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = (
            threading.Thread(target=self._write_batches, name="kvraft-log", daemon=True),
            threading.Thread(target=self._run_tasks, name="kvraft-snapshot", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def fsyncs(self) -> int:
        """Fsyncs of the log so far, directory fsyncs included."""
        return self._wal.fsyncs

    @property
    def bytes(self) -> int:
        """Bytes written to the log so far."""
        return self._wal.bytes_written

    def busy_ms(self) -> float:
        """For how long the batch in flight has been in flight; 0 if there is none."""
        return 0.0 if self._started_at is None else (time.monotonic() - self._started_at) * 1000

    def take_slowest_ms(self) -> float:
        """How long the slowest batch took, the one in flight so far included, since last asked."""
        recent, self._recent_ms = self._recent_ms, 0.0
        return max(recent, self.busy_ms())

    def kick(self) -> None:
        """Write what is buffered, at once if the disk is idle, else after the batch in flight.

        Where the disk is quick it is done, and reported, when this returns.
        """
        if self._started_at is not None or self._stopped:
            return
        batch = self._wal.take()
        if batch is None:
            return
        self._started_at = time.monotonic()
        if self._mean_ms < QUICK_MS and batch.bytes <= QUICK_BYTES:
            self._write_here(batch)
        else:
            self._batches.put(batch)

    def mark_if_idle(self) -> None:
        """Mark a log that has been idle for a while; to be called now and then."""
        if self._started_at is None and not (self._marked or self._stopped):
            now = time.monotonic()
            if now - self._ended_at >= IDLE_MARK_S:
                self._started_at, self._marked = now, True
                self._batches.put("mark")

    def submit(self, fn: Callable[[], _T], done: Callable[[_T], None]) -> None:
        """Run `fn` on the second thread, in order of submission, then `done(result)` on the loop.

        An exception of `fn` goes to `on_error`: a node that cannot write its snapshot stops.
        """

        def task() -> None:
            try:
                result = fn()
            except Exception as error:  # noqa: BLE001 - a thread must not end in silence
                self._report(error)
            else:
                self._tell(self._finish, done, result)

        if not self._stopped:
            self._tasks.put(task)

    def close(self) -> None:
        """Wait for the batch and the tasks in progress, and end the threads; calls nothing back."""
        self._stopped = True
        self._batches.put(None)
        self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _write_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                if batch == "mark":
                    self._wal.mark()
                    self._tell(self._log_marked)
                else:
                    self._tell(self._batch_written, *self._write(batch))
            except Exception as error:  # noqa: BLE001 - a thread must not end in silence
                self._report(error)
                return

    def _write(self, batch: Batch) -> tuple[int, float]:
        """Return what is durable now, and the milliseconds that it took."""
        began = time.monotonic()
        durable = self._wal.write(batch)
        return durable, (time.monotonic() - began) * 1000

    def _run_tasks(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop was closed: nobody is left to be told.
            self._stopped = True

    def _report(self, error: Exception) -> None:
        self._tell(self._fail, error)

    # On the loop's thread:

    def _write_here(self, batch: Batch) -> None:
        try:
            written = self._write(batch)
        except Exception as error:  # noqa: BLE001 - it goes where those of the thread go
            self._fail(error)
        else:
            self._batch_written(*written)

    def _batch_written(self, durable: int, took_ms: float) -> None:
        self._started_at, self._ended_at = None, time.monotonic()
        self._marked = False
        counted_ms = took_ms if took_ms >= STALL_MS else min(took_ms, HICCUP_MS)
        self._mean_ms += (counted_ms - self._mean_ms) / MEAN_WRITES
        self.batches += 1
        self._recent_ms = max(self._recent_ms, took_ms)
        self.slowest_ms = max(self.slowest_ms, took_ms)
        self.kick()  # first, so that the disk does not idle while the loop acts on this one
        if not self._stopped:  # by now: what the loop wrote itself may have failed
            self._on_durable(durable)

    def _log_marked(self) -> None:
        self._started_at = None
        if not self._stopped:
            self.kick()

    def _finish(self, done: Callable[[object], None], result: object) -> None:
        if not self._stopped:
            done(result)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, StorageError):
            error = DiskFailed("the data directory", "write", f"{type(error).__name__}: {error}")
        if not self._stopped:
            self._stopped = True
            self._on_error(error)
