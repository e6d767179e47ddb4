"""What a daemon's turn does when its lease thread has news in the middle of it.

The turns are taken here, one by one, without the thread: so its heartbeat comes at the very moment that matters.
"""

from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from farpool_common.address import Address
from farpool_common.broker import Claimed, Malformed, NewTask, ProducerBroker, WorkerBroker
from farpool_common.errors import ServerUnreachableError
from farpool_common.keys import Keys
from farpool_worker.daemon import Daemon
from farpool_worker.settings import WorkerSettings
from farpool_worker.tasks.ledger import Stage

KEYS = Keys()


@pytest.fixture
def daemon(server, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # BLAS with threads must not be in the template
    settings = WorkerSettings(
        address=Address(server.url),
        prefix=KEYS.prefix,
        queues=("default",),
        name="slow",
        slots=1,
        slots_reason="-",
        roots=(Path(__file__).parent,),
    )
    found = Daemon(settings)
    found._pool.start()
    found._membership.join()
    yield found
    found._close()


@pytest.fixture
def other(server):
    broker = WorkerBroker(server.url, "other", ["default"])
    yield broker
    broker.close()


@pytest.fixture
def held(server, daemon):
    """A task that the daemon has claimed, for a slot that is idle; it has not begun.  No doorbell listens yet."""
    while not daemon._pool.idle():
        daemon._pool.handle(wait(daemon._pool.waitables(), 0.1))
    producer = ProducerBroker(server.url)
    producer.enqueue("default", [NewTask(id="t", data=b"\x94", description="d", label="m:f", reply=KEYS.reply("me"))])
    producer.close()
    (task,) = daemon._broker.claim(1).tasks
    daemon._intake.take(Claimed([task]))
    return daemon._ledger.get("t")


def turn(daemon: Daemon) -> None:
    daemon._wakeup.ring()
    daemon._turn()


def take_away(daemon: Daemon, other: WorkerBroker) -> None:
    """The daemon was silent for so long that its task waits again; nothing ran, so there is nothing to kill."""
    daemon._deadline.note_kill()
    daemon._deadline.extend(sent_at=1.0, seconds=0.0)
    other.client.zadd(KEYS.hosts, {"slow": 1})
    assert other.recover(grace_ms=0, stray_ms=0).tasks == 1


def take_over(daemon: Daemon, other: WorkerBroker) -> None:
    take_away(daemon, other)
    assert [task.id for task in other.claim(1).tasks] == ["t"]


@pytest.mark.parametrize("is_silent_before", [True, False])
def test_a_task_that_was_taken_away_does_not_begin_when_a_heartbeat_is_accepted_in_the_middle_of_a_turn(
    daemon, other, held, monkeypatch, is_silent_before
):
    """Right after the turn has asked for what was lost: then it is told only in the next turn."""
    if is_silent_before:
        take_over(daemon, other)
    ask = daemon._lease.lost

    def ask_before_the_heartbeat() -> list[str]:
        told = ask()
        if not is_silent_before:
            take_over(daemon, other)
        daemon._lease.beat()
        return told

    with monkeypatch.context() as patched:
        patched.setattr(daemon._lease, "lost", ask_before_the_heartbeat)
        turn(daemon)
    assert not daemon._deadline.has_passed
    assert daemon._ledger.all() == [held]
    assert daemon._pool.idle(), "the slot has begun a task that another daemon runs"
    turn(daemon)
    assert daemon._ledger.all() == []


def test_a_task_that_is_claimed_again_by_who_lost_it_begins_once(daemon, other, held):
    """That claim was on its way when the loss was noted."""
    take_away(daemon, other)
    daemon._lease.beat()
    (again,) = daemon._broker.claim(1).tasks
    daemon._intake.take(Claimed([again]))
    turn(daemon)
    assert [(held.task, held.stage) for held in daemon._ledger.all()] == [(again, Stage.SENT)]
    assert not daemon._ledger.ready()


def test_an_outage_over_one_doorbell_s_bad_record_loses_nothing_that_another_has_brought(daemon, held, monkeypatch):
    again = replace(held.task, id="t2")
    bad = Malformed("bad", "e", "default", None, 1, "no record")
    daemon._claimer._brought = [Claimed(malformed=[bad]), Claimed([again])]

    def cut(_: object) -> None:
        raise ServerUnreachableError("cut")

    monkeypatch.setattr(daemon._broker, "quarantine", cut)
    with pytest.raises(ServerUnreachableError):
        daemon._intake.take_brought()
    assert "t2" in daemon._ledger


def test_a_job_is_stopped_that_was_claimed_while_the_daemon_read_commands(server, daemon, monkeypatch):
    """Its doorbell rings in the middle of the turn, and then comes the command: both wait when commands are read."""
    while not daemon._pool.idle():
        turn(daemon)
    while not daemon._claimer.waitables():
        turn(daemon)
    producer = ProducerBroker(server.url)
    read = daemon._commands.received

    def read_after_the_ring():
        producer.enqueue("default", [NewTask(id="t", data=b"\x94", description="d", label="m:f")])
        daemon._broker.client.publish(KEYS.channel("slow"), '{"command": "stop-job", "job_id": "t"}')
        found = []
        while not found:  # the answer to the subscription may be unread, too
            wait([daemon._commands])
            found = read()
        return found

    monkeypatch.setattr(daemon._commands, "received", read_after_the_ring)
    daemon._talk_to_redis([daemon._commands])
    producer.close()
    while daemon._broker.client.hget(KEYS.job("t"), "status") not in (b"stopped", b"failed"):
        turn(daemon)
    assert daemon._broker.client.hget(KEYS.job("t"), "status") == b"stopped"


def test_a_daemon_that_is_asked_to_stop_as_a_doorbell_rings_gives_the_task_back(server, daemon):
    """Both are met in one turn: stopping reads what the doorbell has brought."""
    while not daemon._pool.idle():
        turn(daemon)
    while not daemon._claimer.waitables():
        turn(daemon)
    producer = ProducerBroker(server.url)
    producer.enqueue("default", [NewTask(id="t", data=b"\x94", description="d", label="m:f")])
    wait(daemon._claimer.waitables())
    daemon._stop_requests.count, daemon._stop_requests.name = 1, "SIGTERM"
    turn(daemon)
    assert producer.waiting("default") == 1
    producer.close()
