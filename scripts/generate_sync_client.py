"""Write `_sync` from `_async`, of the client and of its recipes; with --check, only compare.

A table of substitutions, word by word, after httpcore's `unasync.py`. A rule that matches nothing
in the whole source is an error: it would hide a change of the source.
"""

import argparse
import re
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "client" / "kvraft_client"
PACKAGES = (CLIENT, CLIENT / "recipes")
"""Each has an `_async` and a `_sync`."""
HEADER = "# Generated from {source} by scripts/generate_sync_client.py: do not edit.\n"

RULES: tuple[tuple[str, str], ...] = (
    (r"\basync def\b", "def"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bimport Awaitable, Callable\b", "import Callable"),
    (r"\bAsyncTransaction\b", "Transaction"),
    (r"\bAsyncWatch\b", "Watch"),
    (r"\bAsyncLock\b", "Lock"),
    (r"\bAsyncElection\b", "Election"),
    (r"\bAsyncOnce\b", "Once"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\b__aiter__\b", "__iter__"),
    (r"\b__anext__\b", "__next__"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\baclosing\b", "closing"),
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsyncLease\b", "Lease"),
    (r"\bAsync(?=[A-Z])", ""),  # the recipes' classes
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\bkvraft_client\._async\b", "kvraft_client._sync"),
    (r"\bkvraft_client\._backends import aio as backend\b",
     "kvraft_client._backends import threads as backend"),
    (r"\bkvraft_client\._backends import aio_running as running\b",
     "kvraft_client._backends import thread_running as running"),
    (r"For one task at a time", "For one thread at a time"),
    (r"it may be shared by all tasks of one event loop", "it may be shared by all threads"),
    (r"The source of both \w+; `scripts/generate_sync_client\.py` writes `_sync` from it\.",
     "The sync twin of `_async`, generated."),
)  # fmt: skip
FORBIDDEN = re.compile(r"\b(async|await|asyncio|aio|a(?:enter|exit|iter|next))\b")


def translate(source: str, name: str, used: set[str]) -> str:
    """Return the sync twin of one module; note which rules were used."""
    for pattern, replacement in RULES:
        source, count = re.subn(pattern, replacement, source)
        if count:
            used.add(pattern)
    for number, line in enumerate(source.splitlines(), 1):
        if FORBIDDEN.search(line):
            raise SystemExit(f"_async/{name}:{number}: no rule for: {line.strip()}")
    return HEADER.format(source=f"_async/{name}") + source


def twins(*sources: Path) -> list[dict[str, str]]:
    """Return, for each source, the text of every generated module by its file name."""
    used: set[str] = set()
    found = [
        {
            path.name: translate(path.read_text(), path.name, used)
            for path in sorted(source.glob("*.py"))
        }
        for source in sources
    ]
    unused = [pattern for pattern, _ in RULES if pattern not in used]
    if unused:
        raise SystemExit(f"unused rules: {unused}")
    return found


def differences(wanted: dict[str, str], target: Path) -> list[str]:
    """Return the names of files that are missing, stale, or should not be there."""
    present = {path.name: path.read_text() for path in target.glob("*.py")}
    return sorted(
        name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)
    )


def main() -> int:
    """Generate, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    every = twins(*(package / "_async" for package in PACKAGES))
    stale = False
    for package, wanted in zip(PACKAGES, every, strict=True):
        target = package / "_sync"
        for name in differences(wanted, target):
            stale = True
            if check:
                problem = f"{target.relative_to(CLIENT)}/{name} differs"
                print(f"{problem}: run scripts/generate_sync_client.py", file=sys.stderr)
            else:
                _write(target / name, wanted.get(name))
    return 1 if check and stale else 0


def _write(path: Path, text: str | None) -> None:
    path.parent.mkdir(exist_ok=True)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    print(path.relative_to(CLIENT))


if __name__ == "__main__":
    sys.exit(main())
