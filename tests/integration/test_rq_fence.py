"""RQ's transactions behind the fence: they happen while the lease holds, once, and never for another's job."""

import pytest
import redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from farpool_common.keys import Keys
from farpool_worker.rq.fence import Fence, FencedRedis, LeaseGoneError, WrittenError

KEYS = Keys()


@pytest.fixture
def fenced(client):
    client.zadd("rq:wip:q", {"job:mine": 1})
    return FencedRedis(client, Fence.of(KEYS, "q", "job", "mine"))


def take_over(client):
    """As recover.lua does."""
    client.zrem("rq:wip:q", "job:mine")
    client.incr("rq:farpool:fence:job")


def ending(fenced):
    """As RQ ends a job: one transaction that also removes the lease."""
    pipeline = fenced.pipeline()
    pipeline.rpush("written", "end")
    pipeline.zrem("rq:wip:q", "job:mine")
    return pipeline


def answer_is_lost(monkeypatch, *, before: bool):
    """The connection breaks before a transaction is sent, or before its answer comes; redis-py says WatchError."""
    real, calls = Pipeline.execute, []

    def broken(self, raise_on_error=True):
        calls.append(1)
        if len(calls) > 1:
            return real(self, raise_on_error)
        if not before:
            real(self, raise_on_error)
        self.reset()
        raise WatchError("A ConnectionError occurred on while watching one or more keys")

    monkeypatch.setattr(Pipeline, "execute", broken)


def test_a_transaction_happens_while_the_lease_holds(fenced, client):
    ending(fenced).execute()
    assert (client.lrange("written", 0, -1), client.zcard("rq:wip:q")) == ([b"end"], 0)


def test_it_does_not_happen_when_the_lease_was_taken_away(fenced, client):
    take_over(client)
    with pytest.raises(LeaseGoneError):
        ending(fenced).execute()
    assert client.exists("written") == 0


def test_it_does_not_happen_when_the_lease_is_taken_away_at_the_last_moment(fenced, client):
    pipeline = fenced.pipeline()
    pipeline.watch("rq:job:job:dependents")
    take_over(client)
    pipeline.multi()
    pipeline.rpush("written", "end")
    with pytest.raises(WatchError):
        pipeline.execute()
    with pytest.raises(LeaseGoneError):  # RQ looks again
        pipeline.watch("rq:job:job:dependents")
    assert client.exists("written") == 0


def test_a_transaction_that_did_not_arrive_is_sent_again(fenced, client, monkeypatch):
    answer_is_lost(monkeypatch, before=True)
    ending(fenced).execute()
    assert client.lrange("written", 0, -1) == [b"end"]


def test_one_that_happened_and_whose_answer_was_lost_is_not_repeated(fenced, client, monkeypatch):
    answer_is_lost(monkeypatch, before=False)
    ending(fenced).execute()
    assert client.lrange("written", 0, -1) == [b"end"]


def test_rqs_own_loop_is_told_that_its_transaction_had_happened(fenced, client, monkeypatch):
    answer_is_lost(monkeypatch, before=False)
    pipeline = fenced.pipeline()
    pipeline.watch("rq:job:job:dependents")
    pipeline.multi()
    pipeline.zrem("rq:wip:q", "job:mine")
    with pytest.raises(WatchError):
        pipeline.execute()
    with pytest.raises(WrittenError):
        pipeline.watch("rq:job:job:dependents")


def test_other_executions_of_the_same_job_have_fences_of_their_own(client):
    client.zadd("rq:wip:q", {"job:theirs": 1})
    with pytest.raises(LeaseGoneError):
        ending(FencedRedis(client, Fence.of(KEYS, "q", "job", "mine"))).execute()
    assert client.zscore("rq:wip:q", "job:theirs") == 1


def test_ordinary_commands_pass(fenced):
    assert isinstance(fenced, redis.Redis)
    assert fenced.set("key", "value")
