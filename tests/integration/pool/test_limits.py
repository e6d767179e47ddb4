"""A call ends at its limit: by an exception if it listens, by a signal if it does not."""

from dataclasses import replace

import pytest
from pool_driver import Driver, chunk, crashes, ended, plain, values

from farpool_common.chunk import RUNNER, Chunk, encode_chunk
from farpool_common.codec import Serializer
from farpool_worker.pool.events import Returned


@pytest.fixture
def driver():
    with Driver(1, grace_seconds=0.2) as found:
        yield found


def test_a_loop_is_stopped_by_an_exception_and_its_process_goes_on(driver):
    before = driver.call("pool_tasks:pid", ())
    (failure,) = values(driver.run(chunk("pool_tasks:spin", (), limit=0.2))).values()
    assert failure.type_name == "farpool_common.errors:TaskTimeoutError"
    assert failure.message.startswith("stopped after 0.")
    assert failure.message.endswith(" s (limit 0.2 s)")
    assert "in spin" in failure.traceback
    assert driver.call("pool_tasks:pid", ()) == before


def test_only_the_call_over_its_limit_fails(driver):
    found = values(driver.run(chunk("pool_tasks:pause", (0.01,), (60,), (0.02,), limit=1.0)))
    assert (found[0], found[1].type_name, found[2]) == (0.01, "farpool_common.errors:TaskTimeoutError", 0.02)


def test_the_limit_is_of_each_call_not_of_their_sum(driver):
    found = values(driver.run(chunk("pool_tasks:pause", *[(0.2,)] * 6, limit=1.0)))
    assert found == dict.fromkeys(range(6), 0.2)


def test_the_limit_in_the_chunk_counts_when_the_record_has_none(driver):
    envelope = encode_chunk(Chunk("pool_tasks:spin", rows=[[]], limit=0.2)).envelope
    work = replace(chunk("pool_tasks:spin", ()), data=Serializer.dumps([RUNNER, None, [envelope, []], {}]))
    assert values(driver.run(work))[0].type_name.endswith(":TaskTimeoutError")


def test_a_limit_does_not_outlast_its_work(driver):
    driver.run(chunk("pool_tasks:noop", (1,), limit=0.2))
    assert values(driver.run(chunk("pool_tasks:pause", (0.5,)))) == {0: 0.5}


@pytest.mark.parametrize("function", ["swallow_timeout", "sleep_deaf", "stop_itself"])
def test_a_call_that_does_not_listen_is_killed(driver, function):
    (crash,) = crashes(driver.run(chunk(f"pool_tasks:{function}", (), (), limit=0.2)))
    assert (crash.timed_out, crash.exitcode, crash.running) == (True, -9, ("work", 0))
    assert crash.reason.startswith("stopped after ")
    assert crash.reason.endswith(" s (limit 0.2 s)")
    assert crash.lost == (("work", ((0, 2),)),)


def test_a_plain_call_has_a_limit_too(driver):
    (returned,) = [e for e in driver.run(plain("pool_tasks.spin", limit=0.2)) if isinstance(e, Returned)]
    assert "TaskTimeoutError: stopped after 0." in returned.error
    (crash,) = crashes(driver.run(plain("pool_tasks.stop_itself", limit=0.2)))
    assert (crash.timed_out, crash.running) == (True, ("plain", 0))


def test_without_a_limit_nothing_is_watched(driver):
    driver.send(chunk("pool_tasks:pause", (0.3,)))
    assert driver.pool.next_tick(0.0) is None
    driver.until(lambda events: ended(events) == 1)
