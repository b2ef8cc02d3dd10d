"""Which exceptions that reach the loop end the node, or only one conversation, or are nothing."""

import logging
import traceback

VITAL = ("kvraft.consensus", "kvraft.core", "kvraft.driver", "kvraft.replica", "kvraft.storage")
"""A part of these that failed may be wrong about itself; gRPC and the services only translate."""


GRPC_LOGGER = "grpc._cython.cygrpc"
_CLIENT_GONE = "ExecuteBatchError raised in core by servicer method"
"""gRPC's words, with a traceback of its own, for an answer whose connection broke meanwhile."""


def quiet_about_clients() -> None:
    """Let gRPC not log a client that has gone like a failure of this node."""
    logging.getLogger(GRPC_LOGGER).addFilter(_tells_of_this_node)


def _tells_of_this_node(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_CLIENT_GONE)


def ends_the_node(error: BaseException | None) -> bool:
    """Whether `error` came through a vital part and is no mere failure of a connection."""
    if not isinstance(error, Exception) or isinstance(error, OSError):
        return False
    names = (
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name == vital or name.startswith(f"{vital}.") for name in names for vital in VITAL)
