"""A browser without a window, spoken to in the DevTools protocol over two pipes."""

import base64
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ANSWER_SECONDS = 60.0
"""A cold start on a machine that runs other tests too takes most of it."""
LOOK_SECONDS = 0.02
END_SECONDS = 5.0
FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
    "--hide-scrollbars", "--force-device-scale-factor=1", "--mute-audio",
)  # fmt: skip


def find() -> str | None:
    """The path of a browser that speaks the protocol."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. Remembers what the console complained of, and what was asked of the network."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._read, self._write, self._rest, self._last = read_fd, write_fd, b"", 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            heard = self._message(deadline, method)
            if heard.get("id") == self._last:
                assert "error" not in heard, heard
                return heard["result"]
            self._note(heard)

    def _message(self, deadline: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no answer to {method}"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, f"the browser ended at {method}"
            self._rest += chunk
        first, self._rest = self._rest.split(b"\0", 1)
        return json.loads(first)

    def _note(self, heard: dict[str, Any]) -> None:
        method, params = heard.get("method"), heard.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.complaints.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, path: Path, *, width: int = 1280, height: int = 800, scheme: str = "light",
             fragment: str = "") -> None:  # fmt: skip
        self.size(width, height)
        self.scheme(scheme)
        self.call("Page.navigate", url=path.as_uri() + fragment)
        self.until("document.body?.dataset.ready === 'true'")

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def tell(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.tell(expression):
            assert time.monotonic() < deadline, f"never: {expression}; {self.complaints}"
            time.sleep(LOOK_SECONDS)

    @property
    def drawn(self) -> dict[str, str]:
        """What the page says of its picture."""
        return self.tell("({...document.body.dataset})")

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def picture(self, path: Path) -> None:
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def page(binary: str, profile: Path) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block."""
    ours: list[int] = []
    theirs: list[int] = []
    for reading in (False, True):  # first what it reads from us, then what we read from it
        read_fd, write_fd = os.pipe()
        ours.append(read_fd if reading else write_fd)
        # out of the way of 3 and 4, which the browser expects
        theirs.append(fcntl(write_fd if reading else read_fd, F_DUPFD_CLOEXEC, 20))
        os.close(write_fd if reading else read_fd)
    null = os.open(os.devnull, os.O_RDWR)
    moves = [(os.POSIX_SPAWN_DUP2, theirs[0], 3), (os.POSIX_SPAWN_DUP2, theirs[1], 4),
             *((os.POSIX_SPAWN_DUP2, null, standard) for standard in (0, 1, 2))]  # fmt: skip
    arguments = [binary, *FLAGS, f"--user-data-dir={profile}"]
    child = os.posix_spawn(binary, arguments, dict(os.environ), file_actions=moves, setpgroup=0)
    try:
        for each in (*theirs, null):
            os.close(each)
        yield Page(ours[1], ours[0])
    finally:
        _end(child)
        for each in ours:
            os.close(each)


def _end(child: int) -> None:
    os.killpg(child, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)
