"""What becomes of a server's settings while a daemon runs."""

import pytest

from farpool_common.broker import WorkerBroker
from farpool_worker.fleet.server_watch import LOOK_SECONDS, ServerWatch


@pytest.fixture
def broker(server):
    found = WorkerBroker(server.url, "w", ["default"])
    yield found
    found.close()


def test_a_server_that_begins_to_evict_tasks_is_told_of_once_a_minute(broker, client, caplog):
    watch = ServerWatch(broker, allow_eviction=False)
    watch.look_if_due(1.0)
    client.config_set("maxmemory-policy", "allkeys-lru")
    watch.look_if_due(2.0)
    assert caplog.text == ""
    for now in (1.0 + LOOK_SECONDS, 2.0 + LOOK_SECONDS):
        watch.look_if_due(now)
    assert caplog.text.count("allkeys-lru may delete queued tasks: set noeviction") == 1


def test_eviction_that_was_allowed_is_not_told_of(broker, client, caplog):
    client.config_set("maxmemory-policy", "allkeys-lru")
    ServerWatch(broker, allow_eviction=True).look_if_due(1.0)
    assert caplog.text == ""
