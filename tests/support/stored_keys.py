"""What stored objects leave on a server, and the wait until nothing of it is there."""

import gc
import threading

import redis
from daemons import wait_for


def stored_keys(client: redis.Redis) -> list[bytes]:
    """Keys of stored objects and of their owners, once this process has dropped what it does not refer to."""
    gc.collect()
    found: list[bytes] = client.keys("rq:farpool:object*") + client.keys("rq:farpool:owners*")
    return found


def wait_until_nothing_is_stored(*clients: redis.Redis) -> None:
    """Every reference has gone, and what it stood for, and the thread that kept it."""
    for client in clients:
        wait_for(lambda client=client: stored_keys(client) == [])
    wait_for(lambda: not any(thread.name == "farpool-objects" for thread in threading.enumerate()))
