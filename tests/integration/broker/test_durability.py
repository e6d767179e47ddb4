"""What `durability` promises holds when it is promised, and is refused where it cannot be."""

import secrets
import signal
from pathlib import Path

import pytest
from replicated import node, replicated

from farpool import Executor
from farpool_common.broker import Durability, NewTask, ProducerBroker, WorkerBroker
from farpool_common.errors import ServerBusyError, ServerUnsuitableError


def new_task() -> NewTask:
    return NewTask(id=secrets.token_hex(16), data=b"\x94", description="f", label="f", reply="rq:farpool:reply:x")


@pytest.fixture
def pair(tmp_path: Path):
    with replicated(tmp_path) as found:
        yield found


def test_a_task_is_in_the_file_on_disk_when_enqueue_returns(tmp_path):
    with node(tmp_path / "n", "--appendonly", "yes", "--appendfsync", "everysec") as server:
        broker = ProducerBroker(server.url)
        broker.require(Durability.FSYNC)
        broker.check()
        task = new_task()
        for _ in range(2):  # repeated after a doubt, it waits again
            broker.enqueue("default", [task])
            written = b"".join(path.read_bytes() for path in (tmp_path / "n" / "appendonlydir").iterdir())
            assert task.id.encode() in written
        assert server.client.llen("rq:queue:default") == 1
        broker.close()


def test_a_task_is_on_the_replica_when_enqueue_returns_and_is_not_said_to_be_before(pair):
    primary, replica = pair
    broker = ProducerBroker(primary.url)
    broker.require(Durability.REPLICA)
    broker.check()
    task, other = new_task(), new_task()
    broker.enqueue("default", [task])
    assert replica.client.exists(f"rq:job:{task.id}")
    replica.process.send_signal(signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(ServerBusyError, match="not copied it to a replica within 2 s"):
            broker.enqueue("default", [other])
    replica.process.send_signal(signal.SIGCONT)
    broker.enqueue("default", [other])
    assert replica.client.llen("rq:queue:default") == 2
    broker.close()


@pytest.mark.parametrize(("durability", "advice"), [("fsync", "appendonly yes"), ("replica", "none connected")])
def test_what_the_server_cannot_give_is_refused_at_the_start(tmp_path, durability, advice):
    with node(tmp_path / "n") as server:
        with pytest.raises(ServerUnsuitableError, match=advice):
            Executor(server.url, durability=durability)
        worker = WorkerBroker(server.url, "a", ["default"], durability=Durability(durability))
        with pytest.raises(ServerUnsuitableError, match=advice):
            worker.check()
        worker.close()
