"""Clients that use one versioned register a key, and write down what they asked and heard."""

import random
import threading
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, Self

from kvraft_chaos.history import EventType, Recorder
from kvraft_chaos.node_client import NodeClient, NodeError
from kvraft_client.policy.failure import Outcome

CALL_SECONDS = 2.0
"""Longer than a node without a quorum needs to say so (1.1 s), so that its word is recorded."""
PAUSE_SECONDS = 0.005
"""Between two calls of one client: the cluster, the proxies and the clients share the cores."""
KEYS = 4
"""Registers in use at one time: enough clients meet on each."""
CALLS_AN_EPOCH = 2_000
"""After so many calls the clients go on to new keys: a register's history stays checkable."""

Connect = Callable[[str], NodeClient]


def recorded(  # noqa: PLR0917  (one sentence: who did what to which key, by which call)
    recorder: Recorder,
    process: int,
    f: str,
    key: str,
    argument: Any,
    node: str,
    call: Callable[[], Any],
) -> tuple[Any, NodeError | None]:
    """Call between invoke and completion; the result, or why there is none."""
    recorder.record(process, "invoke", f, key=key, value=argument, node=node)
    try:
        result = call()
    except NodeError as error:
        kind: EventType = "fail" if error.outcome is Outcome.NOT_APPLIED else "info"
        recorder.record(process, kind, f, key=key, error=str(error), node=node)
        return None, error
    recorder.record(process, "ok", f, key=key, value=result, node=node)
    return result, None


class RegisterWorkload:
    """`with RegisterWorkload(...)`: clients run until the end of the block.

    Each stays at one node, so that those of a healthy node never wait for one that is cut off.
    """

    def __init__(
        self, names: Sequence[str], connect: Connect, recorder: Recorder, *, clients: int, seed: int
    ) -> None:
        self.recorder = recorder
        self._names = tuple(names)
        self._connect = connect
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._calls = 0
        self._accepted: dict[str, int] = dict.fromkeys(names, 0)
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(node, f"{seed}/{number}"), daemon=True)
            for number, node in zip(range(clients), cycle(self._names), strict=False)
        ]

    def accepted_cas(self, names: Sequence[str] | None = None) -> int:
        """Compare-and-sets that these nodes acknowledged as done."""
        with self._lock:
            return sum(self._accepted[name] for name in names or self._names)

    def keys(self) -> list[str]:
        """Every register used so far."""
        with self._lock:
            epochs = self._calls // CALLS_AN_EPOCH + 1
        return [f"register-{epoch}-{place}" for epoch in range(epochs) for place in range(KEYS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def check(self) -> None:
        """Raise what ended a client."""
        if self._failure is not None:
            raise self._failure

    def _run(self, node: str, seed: str) -> None:
        try:
            with self._connect(node) as client:
                self._work(random.Random(seed), client)
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            self._failure = error

    def _work(self, rng: random.Random, client: NodeClient) -> None:
        process = self.recorder.process()
        seen: dict[str, dict[str, Any]] = {}
        while not self._stop.wait(PAUSE_SECONDS):
            with self._lock:
                number, self._calls = self._calls, self._calls + 1
            key = f"register-{number // CALLS_AN_EPOCH}-{rng.randrange(KEYS)}"
            f, argument, call = self._choose(rng, client, key, f"v{number}", seen.get(key))
            result, error = recorded(self.recorder, process, f, key, argument, client.node, call)
            if error is not None:
                if error.outcome is not Outcome.NOT_APPLIED:
                    process = self.recorder.process()
                continue
            self._learn(f, key, argument, result, seen)
            if f == "cas" and result["succeeded"]:
                with self._lock:
                    self._accepted[client.node] += 1

    @staticmethod
    def _choose(
        rng: random.Random, client: NodeClient, key: str, value: str, seen: dict[str, Any] | None
    ) -> tuple[str, dict[str, Any] | None, Callable[[], Any]]:
        f = rng.choices(("get", "put", "cas"), (4, 1, 5))[0]
        if f == "get":
            return f, None, lambda: client.get(key, CALL_SECONDS)
        if f == "put":
            return f, {"value": value}, lambda: client.put(key, value, CALL_SECONDS)
        if seen is None or seen.get("value") is None:
            expect: dict[str, Any] = {"absent": True}
        else:
            expect = {"mod_revision": seen["mod_revision"]}
        argument = {"value": value, "expect": expect}
        return f, argument, lambda: client.cas(key, value, expect, CALL_SECONDS)

    @staticmethod
    def _learn(
        f: str, key: str, argument: dict[str, Any] | None, result: Any, seen: dict[str, Any]
    ) -> None:
        """Keep the newest that this client knows, so that some of its swaps succeed."""
        if f == "get":
            seen[key] = result
        elif f == "cas" and not result["succeeded"]:
            seen[key] = result["current"] or {"value": None}
        else:
            assert argument is not None
            seen[key] = {"value": argument["value"], "mod_revision": result["mod_revision"]}
