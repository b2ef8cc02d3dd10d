"""`python -m kvraft_chaos.toxiproxy --port 8474`: the embedded server in the foreground."""

import argparse
import asyncio
import signal
import sys

from kvraft_chaos.toxiproxy.api import VERSION
from kvraft_chaos.toxiproxy.server import serve


async def run(host: str, port: int, seed: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def started(bound: int) -> None:
        sys.stdout.write(f"Toxiproxy API ({VERSION}) on http://{host}:{bound}\n")
        sys.stdout.flush()

    await serve(host, port, stop, started, seed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kvraft_chaos.toxiproxy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where the API listens")
    parser.add_argument("--port", type=int, default=8474, help="0: any free port")
    parser.add_argument("--seed", type=int, help="makes jitter, slices and toxicity repeatable")
    options = parser.parse_args()
    try:
        asyncio.run(run(options.host, options.port, options.seed))
    except OSError as error:
        sys.stderr.write(f"toxiproxy: cannot listen on {options.host}:{options.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
