"""What a mutant is, and all of them by name."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace

from kvraft.consensus.switches import Switches

Patch = AbstractContextManager[None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake."""

    name: str
    mistake: str
    """In one sentence."""
    apply: Callable[[], Patch] = nullcontext
    """Makes the mistake for as long as its context lasts."""
    off: str = ""
    """Guards that are off, joined by +."""
    schedule: str = ""
    """The script that convicts it; empty: random seeds do."""
    finding: str = ""
    """What that script then finds."""

    @property
    def switches(self) -> Switches:
        """Return the guards as this mutant has them."""
        return replace(Switches(), **dict.fromkeys(filter(None, self.off.split("+")), False))


MUTANTS: dict[str, Mutant] = {}


def register(mutant: Mutant) -> None:
    """Add one; names are unique."""
    assert mutant.name not in MUTANTS, mutant.name
    MUTANTS[mutant.name] = mutant


def mutant(
    schedule: str = "", finding: str = "", *, off: str = ""
) -> Callable[[Callable[[], Patch]], Callable[[], Patch]]:
    """Register a patch; its function's name and docstring are the mutant's."""

    def added(apply: Callable[[], Patch]) -> Callable[[], Patch]:
        name = getattr(apply, "__name__")  # noqa: B009 - a callable need not have one
        assert apply.__doc__, name
        register(Mutant(name, apply.__doc__.strip(), apply, off, schedule, finding))
        return apply

    return added


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Let `owner.name` be `value`, as found on `owner` itself, restored at the end."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def together(*patches: Patch) -> Iterator[None]:
    """Several patches as one."""
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield
