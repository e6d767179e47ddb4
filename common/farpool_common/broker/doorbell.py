"""Waiting for work without polling: one blocked connection per queue.

The server moves one id to a list of our own and answers; a claim adopts that id.  That claim is sent ahead,
behind the command that waits: the server runs it as soon as the doorbell has rung, and one look at the
connection brings the task.  Moving, rather than peeking, wakes a single daemon per task however many wait.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from farpool_common.broker.connection import as_it_is
from farpool_common.broker.line import Line
from farpool_common.broker.outages import translated
from farpool_common.keys import Keys

WAIT_SECONDS = 20
"""After this long the server answers with nothing and we ask again, so that a half-open connection is
noticed (guess)."""


@dataclass(frozen=True)
class WhenRung:
    """The claim that follows a ring: the text of its script, and the command, made anew each time."""

    script: str
    command: Callable[[], tuple[Any, ...]]


@dataclass(frozen=True)
class Ring:
    """What a doorbell brought: the answer of the claim, or the id that was moved and not claimed."""

    claimed: list[Any] | None = None
    moved: str | None = None


class Doorbell:
    """One queue's doorbell.  Main loop only.  `fileno` can be waited on while `is_armed`."""

    def __init__(self, client: redis.Redis, keys: Keys, queue: str, place: str, when_rung: WhenRung) -> None:
        self.queue = queue
        self._client, self._keys, self._place, self._when_rung = client, keys, place, when_rung
        self._line = Line(client, place, self._greet)
        self._client_id = 0
        self.is_armed = False
        self.armed_at = 0.0

    def fileno(self) -> int:
        """The socket to wait on."""
        return self._line.fileno()

    def arm(self, now: float) -> None:
        """Ask for the next id; `armed_at` becomes `now`.  Raises an outage."""
        queue, aside = self._keys.queue(self.queue), self._keys.doorbell(self.queue)
        self._line.send([("BLMOVE", queue, aside, "LEFT", "RIGHT", WAIT_SECONDS), self._when_rung.command()])
        self.is_armed, self.armed_at = True, now

    def _greet(self) -> None:
        self._client_id = self._line.call("CLIENT", "ID")
        self._line.call("SCRIPT", "LOAD", self._when_rung.script)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it waits at a server that is no longer the one that our clients speak to."""
        return self._line.is_elsewhere

    def answer(self) -> Ring:
        """Read the answer that has arrived.  Raises an outage, or what is wrong with the queue."""
        self.is_armed = False
        moved, claimed = self._line.answers()
        if isinstance(moved, ResponseError):
            with translated(self._place):
                raise moved
        if isinstance(claimed, ResponseError):  # asked again by name, it says the same, or the script is there then
            return Ring(moved=None if moved is None else as_it_is(moved))
        return Ring(claimed)

    def disarm(self, client: redis.Redis) -> Ring:
        """Stop waiting; what was brought at the last moment.  Raises an outage."""
        if not self.is_armed:
            return Ring()
        with translated(self._place):
            client.client_unblock(self._client_id)
        return self.answer()

    def close(self) -> None:
        """Drop the connection."""
        self.is_armed = False
        self._line.close()
