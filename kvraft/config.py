"""What one server is told: flags over environment over a TOML file over defaults, checked at once.

Every error names the option, what is allowed, and what was given.
"""

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvraft.consensus.sockets import Address
from kvraft.tls import TlsFiles

CLIENT_PORT = 4379
"""Client port of the first node on one machine; the next ones follow in steps of PORT_STEP."""
PEER_PORT = 4380
PORT_STEP = 10
MEMBER_COUNTS = (3, 5)
"""Sizes that survive the loss of one or two nodes; an even one survives no more than one less."""
NAME_BYTES = 64
"""Longest node name: it travels in every HELLO and status."""


class ConfigError(ValueError):
    """A setting that cannot be used; one line that names it."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One node's settings."""

    name: str
    data_dir: Path
    listen: Address
    peer_listen: Address
    peers: Mapping[str, Address]
    """Every member by name, this one included."""
    dial: Mapping[str, Address]
    """Where to dial a peer instead of its own address: how a proxy gets in between."""
    advertise: str
    """Where clients reach this node, for hints."""
    rejoin: bool = False
    restore: Path | None = None
    client_tls: TlsFiles | None = None
    peer_tls: TlsFiles | None = None
    state_mib: int | None = None
    """Soft limit on keys and values; None: the default of core.limits."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of `kvraft serve`."""
    result = argparse.ArgumentParser(
        prog="kvraft serve",
        description="Run one node. Every option can also be set as KVRAFT_OPTION_NAME in the "
        "environment, or as option_name in the TOML file given by --config.",
        epilog="example: kvraft serve --name n1 --data-dir /var/lib/kvraft "
        "--listen 127.0.0.1:4379 --peer-listen 127.0.0.1:4380 "
        "--peers n1=127.0.0.1:4380,n2=127.0.0.1:4390,n3=127.0.0.1:4400",
    )
    add = result.add_argument
    add("--name", help="this node's name, one of --peers")
    add("--data-dir", metavar="DIR", help="where the log and the snapshots live")
    add("--listen", metavar="HOST:PORT", help="for clients (default 127.0.0.1:4379)")
    add("--peer-listen", metavar="HOST:PORT", help="for peers (default: the address in --peers)")
    add("--peers", metavar="NAME=H:P,...", help="all members, this one included: 3 or 5")
    add("--dial", metavar="NAME=H:P", action="append", help="dial this peer elsewhere (a proxy)")
    add("--advertise", metavar="HOST:PORT", help="where clients reach this node, for hints")
    add("--config", metavar="FILE.toml", help="settings; flags and environment override them")
    add("--rejoin", action="store_const", const="true", help="come back with an empty disk")
    add("--restore", metavar="FILE", help="begin a new cluster from a backup (all nodes alike)")
    for plane in ("client", "peer"):
        add(f"--{plane}-tls-ca", metavar="FILE", help=f"CA that {plane}s must be signed by")
        add(f"--{plane}-tls-cert", metavar="FILE", help=f"certificate shown to {plane}s")
        add(f"--{plane}-tls-key", metavar="FILE", help="its key")
    add("--state-mib", metavar="N", help="soft limit on keys and values (default 512)")
    return result


def load(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> ServerConfig:
    """Return the settings of one server; `ConfigError` names what is wrong."""
    environment = os.environ if environment is None else environment
    flags = vars(parser().parse_args(arguments))
    known = set(flags)
    settings: dict[str, Any] = {}
    path = flags.pop("config") or environment.get("KVRAFT_CONFIG")
    if path:
        settings.update(_read_toml(Path(path), known))
    for option in known - {"config"}:
        value = environment.get(f"KVRAFT_{option.upper()}")
        if value is not None:
            settings[option] = value
    settings.update({option: value for option, value in flags.items() if value is not None})
    return _build(settings)


def _read_toml(path: Path, known: set[str]) -> dict[str, Any]:
    try:
        settings = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"--config: cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config: {path} is no TOML: {error}") from error
    for option in settings:
        if option not in known:
            raise ConfigError(f"--config: {path} has an unknown option {option!r}")
    return settings


def _build(settings: Mapping[str, Any]) -> ServerConfig:
    name = _required(settings, "name")
    if not name.isascii() or not name.isprintable() or len(name) > NAME_BYTES:
        raise ConfigError(f"--name: at most {NAME_BYTES} printable ASCII characters, got {name!r}")
    peers = parse_peers(_required(settings, "peers"), option="--peers")
    if name not in peers:
        raise ConfigError(f"--name: {name!r} is not among --peers ({', '.join(sorted(peers))})")
    if len(peers) not in MEMBER_COUNTS:
        raise ConfigError(f"--peers: 3 or 5 members, got {len(peers)}")
    dial = parse_peers(settings.get("dial") or {}, option="--dial")
    for peer in dial:
        if peer not in peers or peer == name:
            raise ConfigError(f"--dial: {peer!r} is not another member of --peers")
    listen = parse_address(
        str(settings.get("listen") or f"127.0.0.1:{CLIENT_PORT}"), option="--listen"
    )
    peer_listen = settings.get("peer_listen")
    restore = settings.get("restore")
    rejoin = _boolean(settings.get("rejoin"), option="--rejoin")
    if rejoin and restore:
        raise ConfigError("--rejoin and --restore: a node comes back to a cluster or begins one")
    return ServerConfig(
        name=name,
        data_dir=Path(_required(settings, "data_dir")),
        listen=listen,
        peer_listen=parse_address(str(peer_listen), option="--peer-listen")
        if peer_listen
        else peers[name],
        peers=peers,
        dial=dial,
        advertise=str(settings.get("advertise") or listen),
        rejoin=rejoin,
        restore=Path(str(restore)) if restore else None,
        client_tls=_tls(settings, "client"),
        peer_tls=_tls(settings, "peer"),
        state_mib=_state_mib(settings.get("state_mib")),
    )


def parse_address(text: str, *, option: str) -> Address:
    """Read HOST:PORT (an IPv6 host in brackets); the error names `option`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ConfigError(f"{option}: expected HOST:PORT, got {text!r}")
    if not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{option}: a port is 1 to 65535, got {port}")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def parse_peers(given: object, *, option: str) -> dict[str, Address]:
    """Read NAME=HOST:PORT items: a comma-separated text, a list of such, or a TOML table."""
    if isinstance(given, Mapping):
        pairs = [(str(key), str(value)) for key, value in given.items()]
    else:
        texts = given if isinstance(given, list) else [str(given)]
        items = [item.strip() for text in texts for item in str(text).split(",")]
        pairs = []
        for item in items:
            name, equals, address = item.partition("=")
            if not equals or not name:
                raise ConfigError(f"{option}: expected NAME=HOST:PORT, got {item!r}")
            pairs.append((name, address))
    result: dict[str, Address] = {}
    for name, address in pairs:
        parsed = parse_address(address, option=f"{option} {name}")
        if name in result:
            raise ConfigError(f"{option}: {name!r} is given twice")
        if parsed in result.values():
            raise ConfigError(f"{option}: {address} is given twice")
        result[name] = parsed
    return result


def _required(settings: Mapping[str, Any], option: str) -> str:
    value = settings.get(option)
    if not value:
        raise ConfigError(f"--{option.replace('_', '-')} is missing")
    return value if option == "peers" else str(value)


def _boolean(value: object, *, option: str) -> bool:
    if value in (None, False, "false", "0", "no", ""):
        return False
    if value in (True, "true", "1", "yes"):
        return True
    raise ConfigError(f"{option}: expected true or false, got {value!r}")


def _tls(settings: Mapping[str, Any], plane: str) -> TlsFiles | None:
    paths = {part: settings.get(f"{plane}_tls_{part}") for part in ("ca", "cert", "key")}
    if not any(paths.values()):
        return None
    for part, path in paths.items():
        if not path:
            raise ConfigError(f"--{plane}-tls-{part} is missing: TLS needs ca, cert and key")
        if not Path(str(path)).is_file():
            raise ConfigError(f"--{plane}-tls-{part}: there is no file {path}")
    return TlsFiles(ca=str(paths["ca"]), cert=str(paths["cert"]), key=str(paths["key"]))


def _state_mib(value: object) -> int | None:
    if value is None:
        return None
    text = str(value)
    if not text.isdigit() or not 1 <= int(text) <= 1 << 20:
        raise ConfigError(f"--state-mib: 1 to {1 << 20} MiB, got {text!r}")
    return int(text)
