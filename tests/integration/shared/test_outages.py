"""Connections that break, and servers that go away: blocking calls wait, others say so, and nothing happens twice."""

import threading

import pytest
from restartable import restartable

import farpool
from farpool.shared.keeper import keeper


def kill_connections(client):
    client.client_kill_filter(_type="normal", skipme=True)


def test_who_waits_goes_on_waiting_when_connections_break(on_server, client, background):
    queue, event, lock = farpool.Queue(), farpool.Event(), farpool.Lock()
    lock.acquire()
    waiting = [background(queue.get), background(event.wait), background(lock.acquire)]
    for _ in range(3):
        assert all(each.is_waiting() for each in waiting)
        kill_connections(client)
    assert all(each.is_waiting() for each in waiting)
    queue.put("late")
    event.set()
    lock.release()
    assert [each.result() for each in waiting] == ["late", True, True]


def test_every_step_happens_once_while_connections_break(on_server, client, background):
    queue, results, counter = farpool.Queue(5), farpool.Queue(), farpool.Semaphore(0)
    stop = threading.Event()

    def breaks():
        while not stop.wait(0.05):
            kill_connections(client)

    def takes():
        for _ in range(100):
            results.put(queue.get())
            counter.release()

    breaking, takers = background(breaks), [background(takes) for _ in range(2)]
    for number in range(200):
        queue.put(number)
    for each in takers:
        each.result()
    stop.set()
    breaking.result()
    assert sorted(results.get(timeout=30) for _ in range(200)) == list(range(200))
    assert (results.qsize(), counter.get_value()) == (0, 200)


def test_a_server_that_goes_away_is_waited_for_by_who_may_wait(tmp_path, monkeypatch, background):
    with restartable(tmp_path) as server:
        monkeypatch.setenv("FARPOOL_URL", server.url)
        queue = farpool.Queue()
        queue.put("kept")
        assert queue.get() == "kept"
        waiting = background(queue.get)
        assert waiting.is_waiting()
        server.kill()
        with pytest.raises(farpool.ServerUnreachableError):
            queue.put_nowait("lost")
        with pytest.raises(farpool.ServerUnreachableError):
            queue.qsize()
        with pytest.raises(farpool.ServerUnreachableError):
            queue.get(timeout=0.1)
        putting = background(queue.put, "late")
        assert waiting.is_waiting()
        assert putting.is_waiting()
        server.start()
        assert waiting.result() == "late"
        putting.result()
        keeper().close()
