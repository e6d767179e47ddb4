"""A queue holds as many tasks as its producer allows: the rest waits at the producer, or is refused."""

import threading

import functions as f
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

from farpool import QueueFullError, SettingsError, TooLargeError
from farpool.shipping import lane


def longest(fake: FakeServer, queue: str = "default") -> int:
    with fake.changed:
        return len(fake.queues.get(queue, ()))


def test_calls_beyond_the_bound_wait_here_and_are_sent_when_there_is_room(
    fake: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    fake.set(is_paused=True)
    with FakeExecutor(fake, max_queued=2) as executor:
        futures = [executor.submit(f.square, n) for n in range(20)]
        fake.wait_until(lambda: longest(fake) == 2 and "max_queued is 2" in caplog.text)
        fake.set(is_paused=False)
        assert [future.result(DEADLINE) for future in futures] == [n * n for n in range(20)]
    assert caplog.text.count("max_queued is 2") == 1


def test_a_map_waits_for_room_too(fake: FakeServer) -> None:
    with FakeExecutor(fake, max_queued=1) as executor:
        assert list(executor.map(f.square, range(30), chunksize=2)) == [n * n for n in range(30)]
        assert list(executor.map(f.square, range(30), chunksize="auto")) == [n * n for n in range(30)]


def test_calls_beyond_the_bound_are_refused_when_asked_to(fake: FakeServer) -> None:
    fake.set(is_paused=True)
    with FakeExecutor(fake, max_queued=2, when_full="raise") as executor:
        futures = [executor.submit(f.square, n) for n in range(5)]
        fake.wait_until(lambda: sum(future.done() for future in futures) == 3)
        fake.set(is_paused=False)
        assert [future.result(DEADLINE) for future in futures[:2]] == [0, 1]
        error = futures[4].exception()
    assert isinstance(error, QueueFullError)
    assert (error.queue, error.size, error.limit) == ("default", 2, 2)
    assert "max_queued" in str(error)


def test_a_full_queue_keeps_no_other_waiting(fake: FakeServer) -> None:
    fake.set(is_paused=True)
    with FakeExecutor(fake, max_queued=1) as executor:
        first = [executor.submit(f.square, n) for n in range(600)]
        fake.wait_until(lambda: longest(fake) == 1)
        other = executor.options(queue="other", max_queued=None)
        second = [other.submit(f.square, n) for n in range(5)]
        fake.wait_until(lambda: longest(fake, "other") >= 1)
        fake.set(is_paused=False)
        assert [future.result(DEADLINE) for future in second] == [n * n for n in range(5)]
        assert [future.result(DEADLINE) for future in first] == [n * n for n in range(600)]


def test_submit_blocks_while_too_many_calls_wait_here(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 5)
    fake.set(is_paused=True)
    submitted = []
    with FakeExecutor(fake, max_queued=1) as executor:

        def submit_all() -> None:
            submitted.extend(executor.submit(f.square, n) for n in range(1000))

        thread = threading.Thread(target=submit_all)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        fake.set(is_paused=False)
        thread.join(DEADLINE)
        assert [future.result(DEADLINE) for future in submitted] == [n * n for n in range(1000)]


def test_a_blocked_submit_ends_with_its_executor(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 5)
    fake.set(is_paused=True)
    executor = FakeExecutor(fake, max_queued=1)
    ended = []

    def submit_all() -> None:
        try:
            for n in range(1000):
                executor.submit(f.square, n)
        except RuntimeError as error:
            ended.append(str(error))

    thread = threading.Thread(target=submit_all)
    thread.start()
    fake.wait_until(lambda: longest(fake) == 1)
    executor.shutdown(cancel_futures=True)
    thread.join(DEADLINE)
    assert ended == ["cannot schedule new futures after shutdown"]


def test_an_executor_with_calls_that_wait_for_room_can_be_shut_down(fake: FakeServer) -> None:
    fake.set(is_paused=True)
    executor = FakeExecutor(fake, max_queued=1)
    futures = [executor.submit(f.square, n) for n in range(20)]
    fake.wait_until(lambda: longest(fake) == 1)
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)


def test_arguments_beyond_the_limit_fail_their_call_before_anything_is_sent(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARPOOL_MAX_ARGUMENTS", "100000")
    with FakeExecutor(fake) as executor:
        error = executor.submit(len, b"x" * 200_000).exception(DEADLINE)
        assert isinstance(error, TooLargeError)
        assert (error.limit, error.setting) == (100_000, "FARPOOL_MAX_ARGUMENTS")
        assert str(error).startswith("one call of builtins:len takes 200,")
        assert (fake.enqueued, fake.buffers) == ([], {})
        assert executor.submit(len, b"x").result(DEADLINE) == 1


@pytest.mark.parametrize("value", ["0", "many", "-1"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(
    value: str, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARPOOL_MAX_ARGUMENTS", value)
    with pytest.raises(SettingsError, match="FARPOOL_MAX_ARGUMENTS"):
        FakeExecutor(fake)


@pytest.mark.parametrize(
    "options", [{"max_queued": 0}, {"max_queued": True}, {"max_queued": 1.5}, {"when_full": "block"}]
)
def test_bounds_that_cannot_be_meant_are_refused(fake: FakeServer, options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(options))):
        FakeExecutor(fake, **options)
