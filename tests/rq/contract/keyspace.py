"""The whole keyspace as a value that two workers' traces can be compared by."""

import re
import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import redis

NOT_COMPARED = re.compile(
    rb"rq:(worker|workers|scheduler|scheduler-lock|clean_registries|clean_groups|farpool)(:|$)|(noted|running)$"
)
"""Who ran, and our own keys.  Workers are compared in a test of their own; `noted` and `running` are not RQ's."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z?")
_SECONDS = re.compile(r"1\d{9}\.\d+")
_EXECUTION = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_FRAME = re.compile(r"(?m)^  .*$|^Traceback .*$|^$")

SLACK_SECONDS = 15
"""Times that should be equal may differ by what a slow machine adds."""


@dataclass(frozen=True, eq=False)
class Near:
    """Seconds from now, equal to others nearby."""

    seconds: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Near) and abs(self.seconds - other.seconds) <= SLACK_SECONDS

    __hash__ = None  # type: ignore[assignment]


def keyspace(client: redis.Redis) -> dict[str, Any]:
    """Every key, flattened: `key` -> type and TTL, `key field` -> value, `key member` -> score."""
    now = float(client.time()[0])
    found: dict[str, Any] = {}
    for key in sorted(client.keys("*")):
        if NOT_COMPARED.match(key):
            continue
        kind, ttl = client.type(key).decode(), client.ttl(key)
        name = _plain(key.decode())
        found[name] = (kind, "for ever" if ttl == -1 else Near(ttl))
        for field, value in _parts(client, key, kind, now):
            found[f"{name} {field}"] = value
    noted = client.hgetall("noted")
    return found | {f"noted {field.decode()}": value.decode() for field, value in noted.items()}


def _parts(client: redis.Redis, key: bytes, kind: str, now: float) -> list[tuple[str, Any]]:
    match kind:
        case "hash":
            return [(field.decode(), _field(field, value)) for field, value in client.hgetall(key).items()]
        case "zset":
            return [(_plain(m.decode()), _score(s, now)) for m, s in client.zrange(key, 0, -1, withscores=True)]
        case "list":
            return [(str(i), value.decode()) for i, value in enumerate(client.lrange(key, 0, -1))]
        case "set":
            return [(_plain(member.decode()), "member") for member in client.smembers(key)]
        case "stream":
            entries = client.xrange(key)
            return [
                (f"{i} {f.decode()}", _field(f, v)) for i, (_, entry) in enumerate(entries) for f, v in entry.items()
            ]
        case _:
            return [("", _plain(client.get(key).decode()))]


def _score(score: float, now: float) -> Any:
    """Moments count from now; what is no moment (-1, infinity) stays."""
    return Near(score - now) if 1e9 < score < 1e11 else score


def _field(field: bytes, value: bytes) -> Any:
    if field == b"data":
        return _inflated(value)
    if field == b"exc_string":
        return _last_words(zlib.decompress(b64decode(value)).decode())
    if field == b"meta" or field == b"return_value":
        return value
    if field == b"worker_name":
        return "some worker" if value else ""
    return _plain(value.decode("utf-8", "replace"))


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def _last_words(trace: str) -> str:
    """The text of the exception, without the frames that led to it."""
    return "\n".join(line for line in _FRAME.sub("", trace).splitlines() if line.strip())


def _plain(text: str) -> str:
    for pattern, word in ((_MOMENT, "<moment>"), (_SECONDS, "<seconds>"), (_EXECUTION, "<execution>")):
        text = pattern.sub(word, text)
    return text


def differing(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not the same: RQ's value and ours, None where there is none."""
    return {
        name: (theirs.get(name), ours.get(name))
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name)
    }
