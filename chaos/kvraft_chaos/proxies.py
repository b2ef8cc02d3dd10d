"""Drives a Toxiproxy server, the real one or the embedded one, through toxiproxy-python.

Of that library only `APIConsumer` is used: its `Toxiproxy` and `Proxy` objects share one host and
port a process, set no timeout and let a 500 pass. Here each instance has a consumer class of its
own, every request a time limit, every answer is checked, and HTTP_PROXY is not honoured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

REQUEST_SECONDS = 5.0
"""A local control request takes milliseconds; old servers are known to hang (Toxiproxy #254)."""

STREAMS: tuple[Literal["upstream"], Literal["downstream"]] = ("upstream", "downstream")


class ToxiproxyError(Exception):
    """The server could not be reached, or refused: says the request and the answer."""


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """One link: who connects to `listen` is piped to `upstream`."""

    name: str
    listen: str
    upstream: str

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": True,
        }


class Proxies:
    """The links of one Toxiproxy server, and the faults on them. Calls block; not thread-safe."""

    def __init__(self, url: str, timeout_s: float = REQUEST_SECONDS) -> None:
        address = urlsplit(url)
        if address.scheme != "http" or not address.hostname:
            raise ToxiproxyError(f"a Toxiproxy URL looks like http://127.0.0.1:8474, not {url!r}")
        self.url = url
        self._host = address.hostname
        place = {"host": address.hostname, "port": address.port or 8474}
        self._consumer: Any = type("InstanceConsumer", (APIConsumer,), place)
        self._timeout_s = timeout_s

    def version(self) -> str:
        """What the server calls itself; also tells whether it is there at all."""
        return str(self._call("get", "/version").get("version", ""))

    def populate(self, specs: Iterable[ProxySpec]) -> dict[str, str]:
        """Create the proxies (replacing those that differ); name -> address it listens on."""
        answer = self._call("post", "/populate", json=[spec.as_json() for spec in specs])
        return {proxy["name"]: proxy["listen"] for proxy in answer["proxies"]}

    def names(self) -> list[str]:
        return sorted(self._call("get", "/proxies"))

    def show(self, name: str) -> dict[str, Any]:
        return dict(self._call("get", self._path(name)))

    def delete(self, name: str) -> None:
        self._call("delete", self._path(name))

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """False closes the listener and every connection; true opens the listener again."""
        self._call("post", self._path(name), json={"enabled": enabled})

    def add_toxic(
        self,
        name: str,
        toxic_type: str,
        stream: Literal["upstream", "downstream"],
        attributes: Mapping[str, int],
        *,
        toxicity: float = 1.0,
        toxic: str | None = None,
    ) -> None:
        """Add the toxic `<type>_<stream>`, or one of a name of its own, so that two of a type do
        not meet; change it where the proxy has it already.
        """
        toxic = toxic or f"{toxic_type}_{stream}"
        body = {"attributes": dict(attributes), "toxicity": toxicity}
        if toxic in self.toxics(name):
            self._call("post", self._path(name, toxic), json=body)
            return
        described = {"name": toxic, "type": toxic_type, "stream": stream, **body}
        self._call("post", self._path(name) + "/toxics", json=described)

    def remove_toxic(self, name: str, toxic: str) -> None:
        self._call("delete", self._path(name, toxic))

    def toxics(self, name: str) -> list[str]:
        return [toxic["name"] for toxic in self._call("get", self._path(name) + "/toxics")]

    def cut_silent(self, *names: str) -> None:
        """Black hole both ways: connections stay open, nothing arrives, new ones hang."""
        for name in names:
            for stream in STREAMS:
                self.add_toxic(name, "timeout", stream, {"timeout": 0})

    def cut_reset(self, *names: str) -> None:
        """Close what is open now and refuse what is dialled: the other side knows at once."""
        for name in names:
            self.set_enabled(name, enabled=False)

    def latency(self, *names: str, latency_ms: int, jitter_ms: int = 0) -> None:
        """Delay what the dialling side sends, by latency +/- jitter."""
        for name in names:
            self.add_toxic(
                name, "latency", "upstream", {"latency": latency_ms, "jitter": jitter_ms}
            )

    def heal(self, *names: str) -> None:
        """Take every fault off; connections that went through a black hole are closed by it."""
        for name in names:
            shown = self.show(name)
            for toxic in shown["toxics"]:
                self.remove_toxic(name, toxic["name"])
            if not shown["enabled"]:
                self.set_enabled(name, enabled=True)

    def heal_all(self) -> None:
        self._call("post", "/reset")

    @staticmethod
    def _path(name: str, toxic: str | None = None) -> str:
        path = f"/proxies/{quote(name, safe='')}"
        return path if toxic is None else f"{path}/toxics/{quote(toxic, safe='')}"

    def _call(self, method: str, path: str, **options: Any) -> Any:
        what = f"Toxiproxy at {self.url}: {method.upper()} {path}"
        try:
            response = getattr(self._consumer, method)(
                path, timeout=self._timeout_s, proxies={"no_proxy": self._host}, **options
            )
        except (InvalidToxic, NotFound, ProxyExists) as error:
            raise ToxiproxyError(f"{what}: {error.args[0].decode().strip()}") from error
        except requests.Timeout as error:
            raise ToxiproxyError(f"{what}: no answer within {self._timeout_s:g} s") from error
        except requests.RequestException as error:
            raise ToxiproxyError(f"{what}: no server answers there") from error
        if not response.ok:
            raise ToxiproxyError(f"{what}: {response.status_code} {response.text.strip()}")
        return response.json() if response.content else {}
