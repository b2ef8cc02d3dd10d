"""`python -m kvraft_chaos.negatives.local_reads`: a node that reads its own state and asks nobody.

It takes the options of `kvraft serve`. A test double: it is here to be found guilty.
"""

import sys
from unittest.mock import patch

from kvraft.cli.serve import main
from kvraft.replica.outcomes import BarrierDone
from kvraft.replica.replica import Replica


def read_at_once(self: Replica, deadline: float, done: BarrierDone, reads: int = 1) -> None:
    """Take whatever stands here for the newest."""
    del deadline, reads
    done(self._intake.denied_alone())


if __name__ == "__main__":
    with patch.object(Replica, "read_barrier", read_at_once):
        sys.exit(main(sys.argv[1:]))
