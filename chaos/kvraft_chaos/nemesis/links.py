"""Links that still carry something, and badly: of one node or of all, to peers or to clients."""

from collections.abc import Mapping
from typing import Any

from kvraft_chaos.nemesis.argument import ROLES, Choice, Number, Victim, taking
from kvraft_chaos.nemesis.stroke import Stroke, chosen, links_of
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.proxies import STREAMS

ANY = Victim((*ROLES, "all"))
WHERE = Choice(("peers", "clients"))


class _Toxics(Stroke):
    """Puts one kind of toxic on the links of `node`, `where` they go."""

    def poison(
        self, cluster: Target, arguments: Mapping[str, Any], kind: str, **attributes: int
    ) -> str:
        node, where = chosen(cluster, arguments["node"]), arguments["where"]
        self.struck = cluster.names if node == "all" else (node,)
        for link in links_of(cluster, node, where):
            for stream in STREAMS:
                self.toxic(cluster, link, kind, stream, attributes)
        return f"{where} of {node}"


class Delay(_Toxics):
    name = "delay"
    sentence = "what travels arrives late, by a latency and a jitter, each direction"
    takes = taking(
        node=ANY,
        where=WHERE,
        latency_ms=Number(20, 300, most=60_000),
        jitter_ms=Number(0, 100, most=60_000),
    )

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        latency, jitter = arguments["latency_ms"], arguments["jitter_ms"]
        whom = self.poison(cluster, arguments, "latency", latency=latency, jitter=jitter)
        return f"{whom}: {latency} +/- {jitter} ms"


class Bandwidth(_Toxics):
    name = "bandwidth"
    sentence = "a link carries only so many kilobytes a second"
    takes = taking(node=ANY, where=WHERE, kb_per_s=Number(5, 60, least=1))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        rate = arguments["kb_per_s"]
        return f"{self.poison(cluster, arguments, 'bandwidth', rate=rate)}: {rate} KB/s"


class Slicing(_Toxics):
    name = "slicing"
    sentence = "what was sent at once arrives in small pieces, with pauses between"
    takes = taking(
        node=ANY,
        where=WHERE,
        bytes=Number(64, 512, least=1),
        pause_us=Number(100, 2_000),
    )

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        size, pause_us = arguments["bytes"], arguments["pause_us"]
        whom = self.poison(
            cluster,
            arguments,
            "slicer",
            average_size=size,
            size_variation=size // 2,
            delay=pause_us,
        )
        return f"{whom}: about {size} bytes, then {pause_us} us"


class Resets(_Toxics):
    name = "resets"
    sentence = "every connection is reset a moment after it was opened, for as long as this lasts"
    takes = taking(node=ANY, where=WHERE, after_ms=Number(50, 1_000, most=60_000))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        after = arguments["after_ms"]
        return f"{self.poison(cluster, arguments, 'reset_peer', timeout=after)}: after {after} ms"


class HalfOpen(Stroke):
    name = "half-open"
    sentence = "connections stay open, requests arrive and are done, and no answer comes back"
    takes = taking(node=ANY, where=WHERE)

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node, where = chosen(cluster, arguments["node"]), arguments["where"]
        self.struck = cluster.names if node == "all" else (node,)
        for link in links_of(cluster, node, where):
            self.toxic(cluster, link, "timeout", "downstream", {"timeout": 0})
        return f"{where} of {node}"
