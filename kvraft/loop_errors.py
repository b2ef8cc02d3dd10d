"""Which of the exceptions that reach the loop end the node, and which end only one conversation."""

import traceback

VITAL = ("kvraft.consensus", "kvraft.core", "kvraft.driver", "kvraft.replica", "kvraft.storage")
"""A part of these that failed may be wrong about itself; gRPC and the services only translate."""


def ends_the_node(error: BaseException | None) -> bool:
    """Whether `error` came through a vital part and is no mere failure of a connection."""
    if not isinstance(error, Exception) or isinstance(error, OSError):
        return False
    names = (
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return any(name == vital or name.startswith(f"{vital}.") for name in names for vital in VITAL)
