"""What a toxic is, as the HTTP API describes it; malformed input is refused with a status."""

from dataclasses import dataclass, field
from typing import Any, Literal, cast

Stream = Literal["upstream", "downstream"]

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "latency": ("latency", "jitter"),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
    "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "limit_data": ("bytes",),
}
"""Milliseconds, except: rate in KB/s, sizes in bytes, the slicer's delay in microseconds."""

INT64_MAX = (1 << 63) - 1


class ApiError(Exception):
    """An answer other than success: the words and the status of the real server."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(slots=True)
class Toxic:
    """One toxic of a proxy; shared by all its connections, so that an update reaches them."""

    name: str
    type: str
    stream: Stream
    toxicity: float
    attributes: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "attributes": dict(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }


def bad_body(why: str) -> ApiError:
    return ApiError(f"bad request body: {why}", 400)


def json_object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_body(f"an object is needed, not {type(body).__name__}")
    return body


def text(body: dict[str, Any], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise bad_body(f"{name} must be a string, not {value!r}")
    return value


def flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_body(f"{name} must be true or false, not {value!r}")
    return value


def number(body: dict[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_body(f"{name} must be a number, not {value!r}")
    return float(value)


def merged_attributes(toxic_type: str, body: dict[str, Any], old: dict[str, int]) -> dict[str, int]:
    """Known attributes of the type, each an int64; others are ignored, as the real server does."""
    given = json_object(body.get("attributes") or {})
    merged = {name: old.get(name, 0) for name in ATTRIBUTES[toxic_type]}
    for name in merged:
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INT64_MAX:
            raise bad_body(f"attribute {name} must be an int64, not {value!r}")
        merged[name] = value
    return merged


def parse_toxic(body: Any) -> Toxic:
    given = json_object(body)
    toxic_type = text(given, "type", "")
    stream = text(given, "stream", "downstream").lower()
    toxicity = number(given, "toxicity", 1.0)
    if stream not in ("upstream", "downstream"):
        raise ApiError("stream was invalid, can be either upstream or downstream", 400)
    name = text(given, "name", "") or f"{toxic_type}_{stream}"
    if toxic_type not in ATTRIBUTES:
        raise ApiError("invalid toxic type", 400)
    attributes = merged_attributes(toxic_type, given, {})
    return Toxic(name, toxic_type, cast("Stream", stream), toxicity, attributes)
