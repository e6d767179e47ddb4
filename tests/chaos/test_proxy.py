"""The proxy does the harm that a rule names, and no other."""

import pytest
import redis
from proxy import FaultProxy, Harm, Rule
from resp import end_of, words_of

from farpool.embedded import Server
from farpool_common.broker import WorkerBroker, connect
from farpool_common.errors import ServerUnreachableError


@pytest.fixture
def proxy(server: Server):
    with FaultProxy(str(server.socket)) as found:
        yield found


def test_requests_and_replies_are_told_apart_wherever_the_stream_is_cut():
    request = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n"
    nested = b"*2\r\n*1\r\n$-1\r\n:12\r\n"
    newer = b"%1\r\n+a\r\n~2\r\n_\r\n,1.5\r\n"
    for whole in (request, nested, newer, b"-ERR x\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n"):
        assert end_of(whole + b"+OK\r\n") == len(whole)
        assert all(end_of(whole[:cut]) is None for cut in range(len(whole)))
    assert words_of(request) == [b"SET", b"a", b"\r\n\r\n"]


def test_without_rules_everything_passes(proxy, client):
    with connect(proxy.url) as through:
        through.set("a", b"x" * 1_000_000)
        assert through.get("a") == client.get("a")


def test_a_lost_request_has_not_happened_and_a_lost_reply_has(proxy, client):
    proxy.rules += [Rule("SET", Harm.LOSE_REQUEST, first=2), Rule("SET", Harm.LOSE_REPLY, first=2)]
    with connect(proxy.url) as through:
        through.set("first", 1)
        for name in ("second", "third"):
            with pytest.raises(redis.ConnectionError):
                through.set(name, 1)
    assert set(client.keys()) == {b"first", b"third"}


def test_a_script_is_known_by_its_name(proxy):
    broker = WorkerBroker(proxy.url, "a", ["default"])
    broker.claim(1)
    rule = Rule("claim", Harm.LOSE_REPLY)
    proxy.rules.append(rule)
    with pytest.raises(ServerUnreachableError):
        broker.claim(1)
    assert (rule.seen, rule.done) == (1, 1)
    broker.close()


def test_a_silent_network_breaks_nothing_and_a_sliced_one_is_only_slow(proxy, client):
    proxy.weather.is_sliced = True
    with connect(proxy.url) as through:
        through.set("a", "b")
        proxy.weather.is_silent = True
        with connect(proxy.url, timeout=0.2) as hasty, pytest.raises(redis.TimeoutError):
            hasty.get("a")
        proxy.weather.is_silent = False
        assert through.get("a") == b"b"
