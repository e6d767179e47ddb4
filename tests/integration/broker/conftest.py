"""Brokers of a producer and of two workers that serve the same two queues."""

import pytest

from farpool_common.broker import ProducerBroker, WorkerBroker


@pytest.fixture
def producer(server):
    broker = ProducerBroker(server.url)
    yield broker
    broker.close()


@pytest.fixture
def workers(server):
    brokers = [WorkerBroker(server.url, name, ["q", "other"]) for name in ("w1", "w2")]
    yield brokers
    for broker in brokers:
        broker.close()
