"""RQ's command channel: messages to this worker.  Whatever arrives there, the channel goes on working."""

import json
from dataclasses import dataclass
from typing import Any

import redis

from farpool_common.broker import translated
from farpool_common.keys import Keys
from farpool_worker.log import log

_MOST_PER_TURN = 1000


@dataclass(frozen=True)
class StopJob:
    """Stop a job, or only if it is this execution that runs here."""

    job_id: str
    execution: str | None = None


@dataclass(frozen=True)
class KillHorse:
    """Kill the processes that have work, as if they had crashed."""


@dataclass(frozen=True)
class Shutdown:
    """Drain and end."""


Command = StopJob | KillHorse | Shutdown


class Commands:
    """Main loop only."""

    def __init__(self, client: redis.Redis, keys: Keys, worker: str, place: str) -> None:
        self._client, self._channel, self._place = client, keys.channel(worker), place
        self._subscription: Any = None

    @property
    def is_open(self) -> bool:
        """True while subscribed."""
        return self._subscription is not None

    def open(self) -> None:
        """Subscribe.  Raises an outage."""
        with translated(self._place):
            client: Any = self._client  # redis-py has no types for pub/sub
            self._subscription = client.pubsub(ignore_subscribe_messages=True)
            self._subscription.subscribe(self._channel)

    def fileno(self) -> int:
        """What to wait on."""
        number: int = self._subscription.connection._get_socket().fileno()  # redis-py has no public way to it
        return number

    def received(self) -> list[Command]:
        """What somebody asked for.  Raises an outage."""
        found = []
        with translated(self._place):
            for _ in range(_MOST_PER_TURN):
                message = self._subscription.get_message(timeout=0)
                if message is None and not self._subscription.connection.can_read(timeout=0):
                    break
                command = _command(message)
                if command is not None:
                    found.append(command)
        return found

    def close(self) -> None:
        """Unsubscribe by dropping the connection."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None


def _command(message: Any) -> Command | None:
    """What RQ's `send_..._command` functions publish; None for anything else, which is told in the log."""
    if message is None or message.get("type") != "message":
        return None
    try:
        match json.loads(message["data"]):
            case {"command": "stop-execution", "job_id": str(job), "execution_id": str(execution)}:
                return StopJob(job, execution)
            case {"command": "stop-job", "job_id": str(job)}:
                return StopJob(job)
            case {"command": "kill-horse"}:
                return KillHorse()
            case {"command": "shutdown"}:
                return Shutdown()
    except (ValueError, RecursionError):
        pass
    log.warning("ignored a message on the command channel: %.100r", message.get("data"))
    return None
