"""A queue of pickled jobs, as any RQ shop has it."""

import pytest
import redis
import stock
from rq import Callback, Queue


@pytest.fixture
def queue(server):
    connection = redis.Redis.from_url(server.url)
    yield Queue("default", connection=connection)
    connection.close()


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture(params=["plain", "by RQ's own code"])
def how(request):
    """Options of a job that farpool runs itself, and of one that RQ's own code runs in the child."""
    return {} if request.param == "plain" else {"on_success": Callback(stock.on_success)}
