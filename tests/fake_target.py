"""A cluster that only remembers what faults did to it: links with toxics, nodes up and paused."""

from kvraft_chaos.nemesis.holds import Holds
from kvraft_chaos.topology import NODES, around, client_link, peer_link, peer_links


class FakeProxies:
    """Toxiproxy's part; a link that is in `broken` refuses every change."""

    def __init__(self, links):
        self.links = {link: {} for link in links}
        self.disabled = set()
        self.broken = set()

    def add_toxic(self, name, toxic_type, stream, attributes, *, toxicity=1.0, toxic=None):
        assert toxic not in self.links[name], "two strokes must not share a toxic"
        self._check(name)
        self.links[name][toxic] = (toxic_type, stream, dict(attributes))

    def remove_toxic(self, name, toxic):
        self._check(name)
        del self.links[name][toxic]

    def toxics(self, name):
        return list(self.links[name])

    def set_enabled(self, name, *, enabled):
        self._check(name)
        (self.disabled.discard if enabled else self.disabled.add)(name)

    def _check(self, name):
        if name in self.broken:
            raise OSError(f"{name} is out of reach")

    def silent(self):
        """Links on which nothing passes in either direction."""
        return {
            link
            for link, toxics in self.links.items()
            if {stream for kind, stream, _ in toxics.values() if kind == "timeout"}
            == {"upstream", "downstream"}
        }


class FakeTarget:
    """See `nemesis.target.Target`."""

    def __init__(self, names=NODES, leader="n1"):
        self.names = tuple(names)
        links = [peer_link(a, b) for a, b in peer_links(self.names)]
        self.proxies = FakeProxies([*links, *map(client_link, self.names)])
        self.holds = Holds()
        self.clients = []
        self.leading = leader
        self.up = set(self.names)
        self.paused = set()
        self.cut_off = set()
        self.killed = []
        self.mended = 0

    def link(self, name):
        return name

    def endpoint(self, name):
        return f"{name}:1"

    def leader(self):
        return self.leading

    def running(self, name):
        return name in self.up

    def start(self, name):
        assert name not in self.up
        self.up.add(name)

    def kill(self, name):
        self.up.remove(name)
        self.paused.discard(name)
        self.killed.append(name)

    def pause(self, name):
        assert name in self.up
        self.paused.add(name)

    def resume(self, name):
        self.paused.discard(name)

    def disconnect(self, name):
        self.cut_off.add(name)

    def connect(self, name):
        self.cut_off.discard(name)

    def mend(self):
        self.mended += 1

    def state(self):
        """All that a fault can change."""
        return (
            {link: set(toxics) for link, toxics in self.proxies.links.items()},
            set(self.proxies.disabled),
            set(self.up),
            set(self.paused),
            set(self.cut_off),
            self.holds.things(),
        )


def around_links(*names):
    return {link for name in names for link in around(name)}
