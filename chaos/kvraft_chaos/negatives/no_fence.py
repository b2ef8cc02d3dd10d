"""`python -m kvraft_chaos.negatives.no_fence`: a node that looks at no fence.

It takes the options of `kvraft serve`. A test double: it is here to be found guilty.
"""

import sys
from unittest.mock import patch

from kvraft.cli.serve import main
from kvraft.core import machine
from kvraft.core.commands import Fence
from kvraft.core.places import Places
from kvraft.core.results import Refused


def never(_places: Places, _fences: tuple[Fence, ...]) -> Refused | None:
    """Carry the token along, and let everybody write."""
    return None


if __name__ == "__main__":
    with patch.object(machine, "refuse_fences", never):
        sys.exit(main(sys.argv[1:]))
