"""RQ's command channel: messages to this worker.  Whatever arrives there, the channel goes on working."""

import json
from typing import Any

import redis

from farpool_common.broker import translated
from farpool_common.keys import Keys
from farpool_worker.log import log

_MOST_PER_TURN = 1000


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

    def jobs_to_stop(self) -> list[str]:
        """Ids of the tasks that somebody asked to stop.  Raises an outage."""
        found = []
        with translated(self._place):
            for _ in range(_MOST_PER_TURN):
                message = self._subscription.get_message(timeout=0)
                if message is None and not self._subscription.connection.can_read(timeout=0):
                    break
                task_id = _job_to_stop(message)
                if task_id is not None:
                    found.append(task_id)
        return found

    def close(self) -> None:
        """Unsubscribe by dropping the connection."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None


def _job_to_stop(message: Any) -> str | None:
    """The id in a `stop-job` command; None for anything else, which is counted as junk in the log."""
    if message is None or message.get("type") != "message":
        return None
    try:
        command = json.loads(message["data"])
        if command["command"] == "stop-job" and isinstance(command["job_id"], str):
            return str(command["job_id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    log.warning("ignored a message on the command channel: %.100r", message.get("data"))
    return None
