"""As much of HTTP/1.1 as the control API needs: small requests, one after another."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

HEAD_BYTES = 64 << 10
BODY_BYTES = 1 << 20
"""Bounds of one request; the control API's own are a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is sent as JSON; None: no content."""

    status: int
    body: Any = None


class MalformedRequestError(Exception):
    """The bytes are not a request that this server takes; says which status to answer."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


Answer = Callable[[Request], Awaitable[Response]]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of the connection, or None where the client is done."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise MalformedRequestError(431) from None
    start, *lines = head.rstrip("\r\n").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise MalformedRequestError(400)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if "transfer-encoding" in headers:
        raise MalformedRequestError(501)
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise MalformedRequestError(400)
    if int(length) > BODY_BYTES:
        raise MalformedRequestError(413)
    body = await reader.readexactly(int(length))
    return Request(words[0], words[1].partition("?")[0], headers, body)


def encode_response(response: Response) -> bytes:
    body = b"" if response.body is None else json.dumps(response.body).encode()
    phrase = HTTPStatus(response.status).phrase
    head = f"HTTP/1.1 {response.status} {phrase}\r\nContent-Type: application/json\r\n"
    if response.status != HTTPStatus.NO_CONTENT:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    """Answer the requests of one connection until either side ends it."""
    try:
        while (request := await read_request(reader)) is not None:
            writer.write(encode_response(await answer(request)))
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                break
    except MalformedRequestError as error:
        body = {"error": str(error), "status": error.status}
        writer.write(encode_response(Response(error.status, body)))
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client went away in the middle
    finally:
        writer.close()
