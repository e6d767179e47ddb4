"""The broker of shared objects: one script per step, and waiting for the moment when a step may succeed.

Who waits blocks on a connection of its own, and the step that it waits for is sent behind the command that
blocks: the server takes it as soon as somebody rings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError

from farpool_common.bells import Wait
from farpool_common.broker.connection import Scripts, connect, masked
from farpool_common.broker.outages import translated
from farpool_common.keys import Keys

WAIT_SECONDS = 20.0
"""After this long a waiter asks again, so that a half-open connection is noticed (guess)."""

SHORTEST_WAIT = 0.001
"""Redis takes 0 for ever."""

_MOST_CONNECTIONS = 2**31
"""As many as there are threads that wait."""


@dataclass(frozen=True)
class Step:
    """One run of a script, whose last key is a receipt.  It happens once, however often it is sent."""

    script: str
    keys: Sequence[str]
    call: str
    args: Sequence[Any] = ()

    def arguments(self, is_again: bool) -> list[Any]:
        """What the script gets."""
        return [self.call, "again" if is_again else "", *self.args]


class SharedBroker:
    """Thread-safe.  Every method raises only farpool's errors."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.keys, self.place = keys, masked(url)
        self._client = connect(url)
        self._waiting = connect(url, timeout=WAIT_SECONDS + 10)
        for client in (self._client, self._waiting):
            client.connection_pool.max_connections = _MOST_CONNECTIONS
        self._scripts = Scripts(self._client, self.place)
        self._loaded: set[str] = set()

    def run(self, step: Step, *, is_again: bool = False) -> list[Any]:
        """Take a step and return its answer."""
        keys, args = list(step.keys), step.arguments(is_again)
        if step.script in self._loaded:
            answer: list[Any] = self._scripts.run(step.script, keys, args)
            return answer
        # Not by its digest first: that ends in an exception, whose traceback redis-py keeps until the next garbage
        # collection, with all that our callers hold: handles that they have let go of would be renewed.
        execute: Any = self._client.execute_command
        with translated(self.place):
            answer = execute("EVAL", self._scripts.text(step.script), len(keys), *keys, *args)
        self._loaded.add(step.script)
        return answer

    def run_when(self, wait: Wait, seconds: float, step: Step, *, is_again: bool = False) -> list[Any]:
        """Wait for at most so long, then take a step and return its answer."""
        command = self._scripts.command(step.script, list(step.keys), step.arguments(is_again))
        with translated(self.place), self._waiting.pipeline(transaction=False) as pipeline:
            execute: Any = pipeline.execute_command
            execute(*wait.command(max(SHORTEST_WAIT, min(seconds, wait.most_seconds, WAIT_SECONDS))))
            execute(*command)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        if isinstance(answers[1], NoScriptError):
            return self.run(step, is_again=is_again)
        for answer in answers:
            if isinstance(answer, Exception):
                with translated(self.place):
                    raise answer
        found: list[Any] = answers[1]
        return found

    def kind(self, record: str) -> bytes | None:
        """The kind of the object with this record; None when there is none."""
        with translated(self.place):
            found: Any = self._client.hget(record, "kind")
        return found  # type: ignore[no-any-return]

    def open(
        self, record: str, fields: Mapping[str, Any], life_ms: int, data: tuple[str, bytes] | None
    ) -> dict[bytes, bytes]:
        """Make an object where there is none, and return its fields.  `data`: a key with its content."""
        with translated(self.place), self._client.pipeline(transaction=True) as pipeline:
            for name, value in fields.items():
                pipeline.hsetnx(record, name, value)
            pipeline.pexpire(record, life_ms)
            if data is not None:
                pipeline.set(data[0], data[1], px=life_ms, nx=True)
            pipeline.hgetall(record)
            found: dict[bytes, bytes] = pipeline.execute()[-1]
        return found

    def all_of(self, record: str, *commands: tuple[Any, ...]) -> tuple[list[bytes | None], list[Any]]:
        """Life and version of a record, and what some commands tell at the same moment."""
        with translated(self.place), self._client.pipeline(transaction=True) as pipeline:
            execute: Any = pipeline.execute_command
            execute("HMGET", record, "life", "version")
            for command in commands:
                execute(*command)
            known, *answers = pipeline.execute()
        return known, answers

    def renew(self, keys: Sequence[str], life_ms: int) -> None:
        """Let keys live so long from now on."""
        with translated(self.place), self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pexpire(key, life_ms)
            pipeline.execute()

    def unlink(self, keys: Sequence[str]) -> None:
        """Remove keys."""
        with translated(self.place):
            self._client.unlink(*keys)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._waiting.close()
