"""Threads that perform the register workload, each at one node by single attempts.

What a node says is then recorded as its word, while the clients of a run follow the leader.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from random import Random
from typing import Any, Self

from kvraft_chaos.history import EventType, Recorder
from kvraft_chaos.node_client import NodeClient, NodeError
from kvraft_chaos.workloads.deed import CALL_SECONDS
from kvraft_chaos.workloads.register import Register
from kvraft_chaos.workloads.script import Answer, Call, Script
from kvraft_client.policy.failure import Outcome

PAUSE_SECONDS = 0.005
"""Between two calls of one client: the cluster, the proxies and the clients share the cores."""

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
        self._register = Register()
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
        return self._register.keys()

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
                self._work(self._register.script(0, Random(seed)), client)
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            self._failure = error

    def _work(self, script: Script, client: NodeClient) -> None:
        process = self.recorder.process()
        call = next(script)
        while not self._stop.wait(PAUSE_SECONDS):
            result, error = recorded(
                self.recorder,
                process,
                call.f,
                call.key or "",
                call.argument,
                client.node,
                partial(_performed, client, call),
            )
            if error is None:
                answer = Answer("ok", result)
            elif error.outcome is Outcome.NOT_APPLIED:
                answer = Answer("fail")
            else:
                answer = Answer("info")
                process = self.recorder.process()
            if answer.ok and call.f == "cas" and result["succeeded"]:
                with self._lock:
                    self._accepted[client.node] += 1
            call = script.send(answer)


def _performed(client: NodeClient, call: Call) -> dict[str, Any]:
    assert call.key is not None
    match call.f:
        case "get":
            return client.get(call.key, CALL_SECONDS)
        case "put":
            return client.put(call.key, call.argument["value"], CALL_SECONDS)
    value, expect = call.argument["value"], call.argument["expect"]
    return client.cas(call.key, value, expect, CALL_SECONDS)
