"""Connections to the server: how they are made, and how scripts run over them."""

import hashlib
import threading
from collections.abc import Callable
from importlib import resources
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import PythonRespSerializer
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

from farpool_common.address import Address
from farpool_common.broker.durability import MARK_SECONDS, Durability
from farpool_common.broker.line import COPIED_BYTES, Command, Line, encoded
from farpool_common.broker.outages import translated
from farpool_common.broker.sentinels import service_client
from farpool_common.errors import SettingsError
from farpool_common.service import is_service

TIMEOUT_SECONDS = 5.0
"""How long one command may take before its connection counts as lost (guess)."""


def connect(url: str, *, timeout: float = TIMEOUT_SECONDS, bulk: bool = False) -> redis.Redis:
    """A client that never repeats a command by itself: only the caller knows whether that is safe.

    `bulk` clients move large values; for those hiredis' packer is six to nine times slower than
    redis-py's own, which sends a large argument without copying it.
    """
    options: dict[str, Any] = {}
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    if bulk:
        options["command_packer"] = PythonRespSerializer(COPIED_BYTES, encoded)
    return client_of(
        url,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        **options,
    )


def client_of(url: str, **options: Any) -> redis.Redis:
    """redis-py's client of a server, or of the primary that sentinels name, with redis-py's options."""
    try:
        return service_client(url, **options) if is_service(url) else redis.Redis.from_url(url, **options)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{masked(url)} is no address of a server: {error}") from error


def masked(url: str) -> str:
    """The address without its password, for messages."""
    return Address(url, "the caller").masked


class Scripts:
    """The Lua scripts of `farpool_common/lua`, run by name, on a connection of their own.  Thread-safe."""

    def __init__(self, client: redis.Redis, place: str) -> None:
        self._place = place
        self._line, self._lock = Line(client, place), threading.Lock()
        self._texts: dict[str, tuple[str, str]] = {}

    def run(self, name: str, keys: list[str], args: list[Any], meanwhile: Callable[[], None] | None = None) -> Any:
        """Run one script and return its answer.  `meanwhile` is called before it is waited for.

        Raises farpool's errors.
        """
        command = self.command(name, keys, args)
        with translated(self._place), self._lock:
            self._line.send([command])
            (answer,) = self._line.answers(meanwhile=meanwhile)
            if isinstance(answer, NoScriptError):
                return self._line.call("EVAL", self.text(name), *command[2:])
            if isinstance(answer, ResponseError):
                raise answer
            return answer

    def command(self, name: str, keys: list[str], args: list[Any]) -> Command:
        """What runs a script that the server knows."""
        _, digest = self._texts.get(name) or self._load(name)
        return ("EVALSHA", digest, len(keys), *keys, *args)

    def text(self, name: str) -> str:
        """A script as the server gets it."""
        text, _ = self._texts.get(name) or self._load(name)
        return text

    def run_durably(
        self,
        name: str,
        keys: list[str],
        args: list[Any],
        durability: Durability,
        mark: str,
        meanwhile: Callable[[], None] | None = None,
    ) -> Any:
        """The same, and return when its writes are as safe as `durability` says.

        `mark` is a key that is written besides: a repeated script may write nothing, and then there would be
        nothing to wait for.  Raises ServerBusyError when the time is up; the same call may be repeated.
        """
        if durability is Durability.MEMORY:
            return self.run(name, keys, args, meanwhile)
        command = self.command(name, keys, args)
        answers = self._run_and_wait(command, durability, mark)
        if isinstance(answers[0], NoScriptError):
            answers = self._run_and_wait(("EVAL", self.text(name), *command[2:]), durability, mark)
        for answer in answers:
            if isinstance(answer, Exception):
                with translated(self._place):
                    raise answer
        durability.check_reached(answers[-1], self._place)
        return answers[0]

    def _run_and_wait(self, command: Command, durability: Durability, mark: str) -> list[Any]:
        """All on one connection: what is waited for is what this connection has written."""
        with self._lock:
            self._line.send([command, ("SET", mark, 1, "EX", MARK_SECONDS), durability.command()])
            return self._line.answers()

    def close(self) -> None:
        """Drop the connection."""
        self._line.close()

    def _load(self, name: str) -> tuple[str, str]:
        text = script_text(name)
        self._texts[name] = text, hashlib.sha1(text.encode()).hexdigest()
        return self._texts[name]


def script_text(name: str) -> str:
    """A script as the server gets it: the helpers that all of its folder share stand behind its first line."""
    within, _, last = name.rpartition("/")
    folder = resources.files("farpool_common") / "lua" / within
    first, _, rest = (folder / f"{last}.lua").read_text().partition("\n")
    return f"{first}\n{(folder / 'shared' / 'helpers.lua').read_text()}{rest}"


def as_it_is(raw: bytes) -> str:
    """Whatever stands in the server as text that `to_bytes` turns back into the same bytes."""
    return raw.decode("utf-8", "surrogateescape")


def to_bytes(name: str) -> bytes:
    """The bytes that `as_it_is` was given."""
    return name.encode("utf-8", "surrogateescape")


def text(value: bytes | str) -> str:
    """A name from the server as text; names that we wrote are ASCII."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
