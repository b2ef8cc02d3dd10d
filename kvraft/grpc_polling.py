"""Which of its two ways of polling gRPC uses in a node; chosen before gRPC is imported."""

import os
from importlib.metadata import version
from typing import Final

_EVENT_ENGINE_MINORS: Final = range(80, 86)
"""Of gRPC 1: from the one that made EventEngine Python's default (grpc/grpc#41432) to the newest
tested here. Later ones may have dropped the choice (grpc/grpc#42150)."""
_WITHOUT_EVENT_ENGINE: Final = ",".join(
    f"-event_engine_{part}" for part in ("client", "listener", "for_all_other_endpoints")
)


def choose_polling(grpc_version: str | None = None) -> None:
    """Poll as gRPC for Python did before 1.80, unless GRPC_EXPERIMENTS is set already.

    EventEngine reads in one thread and hands on to another before asyncio's poller hears of it: 14
    changes of thread an echo, not 7 (measured with 1.85.1, both sides). For servers only: without
    it a client dials anew only while a call waits, or every five seconds (a chaos campaign waited
    15 seconds for a node that had been up for 14).
    """
    major, minor = map(int, (grpc_version or version("grpcio")).split(".")[:2])
    if major == 1 and minor in _EVENT_ENGINE_MINORS:
        os.environ.setdefault("GRPC_EXPERIMENTS", _WITHOUT_EVENT_ENGINE)
