"""For tests of your own program: a cluster to break, a recorder for your calls, and the verdict.

Needs `pip install 'kvraft[chaos]'`; the same things are pytest fixtures, `kvraft_cluster` and
`kvraft_history`, without any import. How to use them: docs/testing-your-program.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded on first use: the client alone does without it
    from kvraft_chaos.testing import (
        Call,
        Fault,
        History,
        LocalCluster,
        Model,
        assert_linearizable,
    )

__all__ = ["Call", "Fault", "History", "LocalCluster", "Model", "assert_linearizable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module("kvraft_chaos.testing"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "kvraft_chaos":
            raise
        text = f"kvraft_client.testing needs {error.name}: pip install 'kvraft[chaos]'"
        raise ImportError(text, name=error.name) from error
