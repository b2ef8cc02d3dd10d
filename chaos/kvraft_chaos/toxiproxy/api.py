"""Toxiproxy's HTTP API: routes, answers and errors of version 2.12."""

import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any
from urllib.parse import unquote

from kvraft_chaos.toxiproxy.http import Request, Response
from kvraft_chaos.toxiproxy.proxy import Proxy
from kvraft_chaos.toxiproxy.settings import (
    ApiError,
    Toxic,
    bad_body,
    flag,
    json_object,
    merged_attributes,
    number,
    parse_toxic,
    text,
)

VERSION = "2.12.0+kvraft.embedded"
"""The version whose behaviour this follows; the build part says that it is not the real one."""

Route = Callable[[Request, list[str]], Awaitable[Response]]


class Api:
    """All proxies of one server, and the requests that change them."""

    def __init__(self, seed: int | None = None) -> None:
        self.random = Random(seed)
        self.proxies: dict[str, Proxy] = {}
        self._routes: dict[tuple[str, ...], dict[str, Route]] = {
            ("version",): {"GET": self._version},
            ("reset",): {"POST": self._reset},
            ("populate",): {"POST": self._populate},
            ("proxies",): {"GET": self._list_proxies, "POST": self._create_proxy},
            ("proxies", "*"): {
                "GET": self._show_proxy,
                "POST": self._update_proxy,
                "PATCH": self._update_proxy,
                "DELETE": self._delete_proxy,
            },
            ("proxies", "*", "toxics"): {"GET": self._list_toxics, "POST": self._create_toxic},
            ("proxies", "*", "toxics", "*"): {
                "GET": self._show_toxic,
                "POST": self._update_toxic,
                "PATCH": self._update_toxic,
                "DELETE": self._delete_toxic,
            },
        }

    async def answer(self, request: Request) -> Response:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            # A web page must not be able to cut a developer's network through the browser.
            return Response(403, {"error": "User agent not allowed", "status": 403})
        segments = [unquote(part) for part in request.path.strip("/").split("/")]
        shape = tuple(part if at % 2 == 0 else "*" for at, part in enumerate(segments))
        methods = self._routes.get(shape)
        if methods is None:
            return Response(404, {"error": "404 page not found", "status": 404})
        route = methods.get(request.method)
        if route is None:
            return Response(405)
        try:
            return await route(request, segments[1::2])
        except ApiError as error:
            return Response(error.status, {"error": error.message, "status": error.status})

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.stop()

    def _proxy(self, name: str) -> Proxy:
        proxy = self.proxies.get(name)
        if proxy is None:
            raise ApiError("proxy not found", 404)
        return proxy

    def _toxic(self, names: list[str]) -> tuple[Proxy, Toxic]:
        proxy = self._proxy(names[0])
        toxic = proxy.find(names[1])
        if toxic is None:
            raise ApiError("toxic not found", 404)
        return proxy, toxic

    async def _version(self, _request: Request, _names: list[str]) -> Response:
        return Response(200, {"version": VERSION})

    async def _reset(self, _request: Request, _names: list[str]) -> Response:
        for proxy in self.proxies.values():
            await proxy.start()
            for toxic in list(proxy.toxics):
                proxy.remove_toxic(toxic)
        return Response(204)

    async def _list_proxies(self, _request: Request, _names: list[str]) -> Response:
        return Response(200, {name: proxy.as_json() for name, proxy in self.proxies.items()})

    async def _create_proxy(self, request: Request, _names: list[str]) -> Response:
        given = json_object(decode(request))
        proxy = self._described(given, "")
        if proxy.name in self.proxies:
            raise ApiError("proxy already exists", 409)
        if flag(given, "enabled", default=True):
            await proxy.start()
        self.proxies[proxy.name] = proxy
        return Response(201, proxy.as_json())

    def _described(self, given: dict[str, Any], place: str) -> Proxy:
        name, upstream = text(given, "name", ""), text(given, "upstream", "")
        for field, value in (("name", name), ("upstream", upstream)):
            if not value:
                raise ApiError(f"missing required field: {field}{place}", 400)
        return Proxy(name, text(given, "listen", "") or ":0", upstream, self.random)

    async def _populate(self, request: Request, _names: list[str]) -> Response:
        given = decode(request)
        if not isinstance(given, list):
            raise bad_body(f"a list is needed, not {type(given).__name__}")
        wanted = [
            (
                self._described(json_object(item), f" at proxy {at}"),
                flag(item, "enabled", default=True),
            )
            for at, item in enumerate(given, 1)
        ]
        done: list[Proxy] = []
        try:
            for proxy, enabled in wanted:
                done.append(await self._add_or_replace(proxy, enabled=enabled))
        except ApiError as error:
            body = {"error": error.message, "status": error.status, "proxies": _json(done)}
            return Response(error.status, body)
        return Response(201, {"proxies": _json(done)})

    async def _add_or_replace(self, proxy: Proxy, *, enabled: bool) -> Proxy:
        existing = self.proxies.get(proxy.name)
        if existing is not None:
            if not existing.differs(proxy.listen, proxy.upstream):
                return existing
            existing.stop()
        if enabled:
            await proxy.start()
        self.proxies[proxy.name] = proxy
        return proxy

    async def _show_proxy(self, _request: Request, names: list[str]) -> Response:
        return Response(200, self._proxy(names[0]).as_json())

    async def _update_proxy(self, request: Request, names: list[str]) -> Response:
        proxy = self._proxy(names[0])
        given = json_object(decode(request))
        await proxy.update(
            text(given, "listen", proxy.listen),
            text(given, "upstream", proxy.upstream),
            enabled=flag(given, "enabled", default=proxy.enabled),
        )
        return Response(200, proxy.as_json())

    async def _delete_proxy(self, _request: Request, names: list[str]) -> Response:
        self._proxy(names[0]).stop()
        del self.proxies[names[0]]
        return Response(204)

    async def _list_toxics(self, _request: Request, names: list[str]) -> Response:
        return Response(200, self._proxy(names[0]).as_json()["toxics"])

    async def _create_toxic(self, request: Request, names: list[str]) -> Response:
        proxy = self._proxy(names[0])
        toxic = parse_toxic(decode(request))
        if proxy.find(toxic.name) is not None:
            raise ApiError("toxic already exists", 409)
        proxy.add_toxic(toxic)
        return Response(200, toxic.as_json())

    async def _show_toxic(self, _request: Request, names: list[str]) -> Response:
        return Response(200, self._toxic(names)[1].as_json())

    async def _update_toxic(self, request: Request, names: list[str]) -> Response:
        proxy, toxic = self._toxic(names)
        given = json_object(decode(request))
        attributes = merged_attributes(toxic.type, given, toxic.attributes)
        toxic.toxicity = number(given, "toxicity", toxic.toxicity)
        toxic.attributes = attributes
        proxy.update_toxic(toxic)
        return Response(200, toxic.as_json())

    async def _delete_toxic(self, _request: Request, names: list[str]) -> Response:
        proxy, toxic = self._toxic(names)
        proxy.remove_toxic(toxic)
        return Response(204)


def decode(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise bad_body(str(error)) from error


def _json(proxies: list[Proxy]) -> list[dict[str, Any]]:
    return [proxy.as_json() for proxy in proxies]
