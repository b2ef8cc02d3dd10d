"""One event loop for all that a run measures: gRPC logs an exception at each further one."""

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end, as `asyncio.run` does; the loop stays for the next one."""
    return _runner().run(coroutine)


def close() -> None:
    """End the loop. (At exit it would be too late: Python 3.12 starts no thread there.)"""
    _runner().close()
    _runner.cache_clear()


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()
