"""A worker in a process of its own, so that it can be paused: `python -m ...worker ENDPOINTS`.

It takes the lock that it is told to, and then writes when it is told to, with or without the fence
that it was given at the start. A command and an answer are a line of JSON each.
"""

import json
import sys
from typing import Any

from kvraft_client import Client, Fence, KvraftError


def main() -> None:
    """Obey until the input ends."""
    with Client(sys.argv[1]) as kv:
        fence: Fence | None = None
        for line in sys.stdin:
            command = json.loads(line)
            answer: dict[str, Any]
            if "lock" in command:
                # Not `with`: this worker does not look again at what it once was told.
                lock = kv.lock(command["lock"], ttl=command["ttl"]).acquire()
                fence = lock.fence
                answer = {"token": fence.token}
            else:
                answer = _write(kv, command, fence if command["fenced"] else None)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _write(kv: Client, command: dict[str, Any], fence: Fence | None) -> dict[str, Any]:
    try:
        kv.put(command["key"], command["value"], fence=fence)
    except KvraftError as error:
        return {"error": type(error).__name__, "message": str(error).partition(" [")[0]}
    return {"error": None, "message": ""}


if __name__ == "__main__":
    main()
