"""Long seeded runs of the state machine against its oracle: `python -m core_campaign --help`.

From the tests' directory: `cd tests && python -m core_campaign --operations 1000000`.
"""

from argparse import ArgumentParser
from collections import Counter
from random import Random
from time import process_time
from unittest.mock import patch

from core_pair import Pair
from core_traffic import PASSED_MS, Traffic, some_limits

PIECES = [1, 7, 64, 1 << 20]
SMALL_PIECES = {
    "kvraft.core.table.TABLE_CHUNK_RECORDS": 2,
    "kvraft.core.frozen.SNAPSHOT_BLOCK_BYTES": 48,
    "kvraft.core.machine.DISCARDED_PER_APPLY": 1,
    "kvraft.core.history.HISTORY_CHUNK_BYTES": 500,
    "kvraft.core.places.PLACE_ENTRIES": 1,
    "kvraft.core.lease_commands.PLACE_ENTRIES": 1,
    "core_oracle_locks.PLACE_ENTRIES": 1,
}
"""So small that a handful of keys crosses many chunks, and several places end in one entry."""
OPERATIONS_A_SEED = 10_000
"""A new state after so many, so that a failure is found again by its seed in seconds."""


class Campaign:
    def __init__(self, seed):
        self.random = Random(seed)
        self.pair = Pair(some_limits(self.random))
        self.traffic = Traffic(self.pair.oracle)

    def run(self, operations):
        """Make random moves until so many operations are done; returns how often what was told."""
        answers = Counter()
        while answers.total() < operations:
            answers.update(map(name_of, self.move()))
            self.pair.check(self.random.randrange(30))
        return answers

    def move(self):
        """Make one random move; returns what was answered, if it was an entry."""
        random, pair = self.random, self.pair
        kind = random.randrange(30)
        if kind == 0 and len(pair.frozen) < 3:
            pair.freeze()
        elif kind in (1, 2) and pair.frozen:
            pair.read_on(random.randrange(3), random.randint(1, 9))
        elif kind == 3 and pair.frozen:
            pair.release(random.randrange(3))
        elif kind == 4:
            pair.reload(random.choice(PIECES))
        else:
            commands = [self.traffic.command(random) for _ in range(random.randint(0, 6))]
            return pair.apply(commands, passed_ms=random.choice([None, *PASSED_MS]))
        return []


def name_of(answer):
    return answer if isinstance(answer, str) else type(answer).__name__


def main():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--first-seed", type=int, default=1)
    asked = parser.parse_args()
    for name, size in SMALL_PIECES.items():
        patch(name, size).start()
    answers, seed = Counter(), asked.first_seed
    while answers.total() < asked.operations:
        try:
            answers += Campaign(seed).run(min(OPERATIONS_A_SEED, asked.operations))
        except Exception as error:
            raise SystemExit(f"--first-seed {seed} differs: {error!r}") from error
        seed += 1
    said = [f"{answers.total()} operations in {process_time():.0f} s of one core, no difference"]
    said += [f"{count:9} {name}" for name, count in answers.most_common()]
    print("\n".join(said))  # noqa: T201 - a command


if __name__ == "__main__":
    main()
