"""A crash costs the call that was running, and nothing else."""

import os
import signal
import time

import psutil
import pytest
from pool_driver import Driver, chunk, crashes, ended, given_back, plain, values, wait_for_file

from farpool_common.task import without
from farpool_worker.pool.child_process import Stage
from farpool_worker.pool.pool import Pool, restart_delay


def _crash(events):
    (crash,) = crashes(events)
    return crash


def test_sigkill_costs_one_call_and_the_others_go_on(driver):
    calls = [(i, 20) for i in range(50)]
    events = driver.run(chunk("pool_tasks:killed_at", *calls))
    crash = _crash(events)
    assert (crash.exitcode, crash.running, crash.timed_out) == (-9, ("work", 20), False)
    assert crash.reason.startswith("was killed by signal 9")
    ((work_id, lost),) = crash.lost
    assert (work_id, without(lost, ((20, 21),))) == ("work", without(((0, 50),), [(20, 21), *_covered(events)]))

    rest = driver.run(chunk("pool_tasks:killed_at", *calls, ranges=without(lost, ((20, 21),))))
    assert values(events) | values(rest) == {i: i for i in range(50) if i != 20}


def _covered(events):
    return [(index, index + 1) for index in values(events)]


def test_results_that_were_written_before_the_crash_arrive(driver):
    events = driver.run(chunk("pool_tasks:slowly_killed_at", *[(i, 3) for i in range(5)]))
    assert values(events) == {0: 0, 1: 1, 2: 2}
    assert _crash(events).lost == (("work", ((3, 5),)),)


def test_other_children_do_not_notice(driver):
    driver.wait_idle()
    others = driver.pool.pids()[1]
    driver.pool.send(1, [chunk("pool_tasks:pause", (0.3,), id="other")])
    driver.run(chunk("pool_tasks:leave", (1,)), slot=0)
    assert values(driver.until(lambda events: ended(events) == 1)) == {0: 0.3}
    assert driver.pool.pids()[1] == others


def test_works_that_wait_behind_the_crash_come_back_uncharged(driver):
    works = [chunk("pool_tasks:leave", (1,), id="bad"), chunk("pool_tasks:noop", (1,), (2,), id="good")]
    crash = _crash(driver.run(*works))
    assert crash.running == ("bad", 0)
    assert crash.lost == (("bad", ((0, 1),)), ("good", ((0, 2),)))


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_behind_our_back_is_a_crash(driver, code):
    crash = _crash(driver.run(chunk("pool_tasks:leave", (code,))))
    assert (crash.exitcode, crash.reason) == (code, f"exited with code {code}")
    assert crash.running == ("work", 0)


def test_a_segmentation_fault_is_named(driver):
    crash = _crash(driver.run(chunk("pool_tasks:segfault", ())))
    assert (crash.exitcode, crash.reason) == (-11, "was killed by signal 11 (SIGSEGV)")


def test_a_plain_call_that_crashes_is_lost(driver):
    crash = _crash(driver.run(plain("pool_tasks.leave", 2)))
    assert (crash.exitcode, crash.running, crash.lost) == (2, ("plain", 0), (("plain", ((0, 1),)),))


def test_the_death_of_an_idle_child_costs_nothing(driver):
    driver.wait_idle()
    victim = driver.pool.pids()[0]
    os.kill(victim, signal.SIGKILL)
    crash = _crash(driver.until(crashes))
    assert (crash.slot, crash.pid, crash.running, crash.lost) == (0, victim, None, ())
    driver.wait_idle()
    assert victim not in driver.pool.pids().values()


def test_work_sent_to_a_child_that_just_died_comes_back(driver):
    driver.wait_idle()
    process = driver.pool._slots[0].child._process
    os.kill(driver.pool.pids()[0], signal.SIGKILL)
    process.join()
    driver.pool.send(0, [chunk("pool_tasks:noop", (1,))])
    crash = _crash(driver.until(crashes))
    assert (crash.running, crash.lost) == (None, (("work", ((0, 1),)),))


def test_kill_ends_the_child_that_runs_the_work(driver, tmp_path):
    driver.send(chunk("pool_tasks:announce_then_wait", (str(tmp_path / "pid"), str(tmp_path / "never"))))
    wait_for_file(tmp_path / "pid")
    assert driver.pool.kill("another") is False
    assert driver.pool.kill("work") is True
    crash = _crash(driver.until(crashes))
    assert (crash.exitcode, crash.reason, crash.running) == (-9, "was stopped on request", ("work", 0))


def test_kill_before_the_child_has_taken_the_work_up_is_told_of_that_work(driver):
    driver.wait_idle()
    os.kill(driver.pool.pids()[0], signal.SIGSTOP)
    driver.pool.send(0, [chunk("pool_tasks:noop", (1,), (2,))])
    assert driver.pool.kill("work") is True
    crash = _crash(driver.until(crashes))
    assert (crash.running, crash.lost) == (("work", 0), (("work", ((0, 2),)),))


def test_kill_of_a_work_behind_another_gives_it_back(driver, tmp_path):
    go = tmp_path / "go"
    first = chunk("pool_tasks:announce_then_wait", (str(tmp_path / "pid"), str(go)), id="first")
    driver.send(first, chunk("pool_tasks:noop", (1,), id="second"))
    wait_for_file(tmp_path / "pid")
    assert driver.pool.kill("second") is False
    go.touch()
    events = driver.wait_idle()
    assert values(events) == {0: str(go)}
    assert given_back(events) == [("second", ((0, 1),))]


# --- before and after the call ---------------------------------------------------------------------


def test_a_crash_while_the_module_is_imported_is_charged_to_the_first_call(driver):
    crash = _crash(driver.run(chunk("deadly_module:anything", (1,), (2,))))
    assert (crash.exitcode, crash.running, crash.preparing) == (7, ("work", 0), True)


def test_a_crash_while_a_result_is_written_is_charged_to_the_first_call_without_outcome(driver):
    calls = [(i, 2) for i in range(4)]
    crash = _crash(driver.run(chunk("pool_tasks:deadly_at", *calls)))
    assert (crash.exitcode, crash.running, crash.preparing) == (5, ("work", 0), False)
    assert crash.lost == (("work", ((0, 4),)),)


def test_a_second_attempt_finds_the_call_whose_result_kills(driver):
    events = driver.run(chunk("pool_tasks:deadly_at", *[(i, 2) for i in range(4)], attempt=2))
    assert _crash(events).running == ("work", 2)
    assert values(events) == {0: 0, 1: 1}


# --- the pipe --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello, this was meant for stdout\n" * 5000,
        b"\n",
        b"\xfaP\x00\x00\xff\xff\xff\x7f",  # a frame of 2 GiB
        b"\xfaP\x00\x00\x03\x00\x00\x00\x92\x91\x01",  # whole, and no message
        b"\xfaP\x00\x00\x06\x00\x00\x00\x92\x92\xa1x\x01\x90",  # of an unknown kind
        b"\xfaP\x00\x00\x0a\x00\x00\x00\x92\x92\xa5ended\xcd\x90",  # cut
        b"\xfaP\x01\x01\x08\x00\x00\x00",  # a body without its descriptor
        b"\xfaP\x00\x00\x0a\x00\x00\x00\x92\x92\xa5ended\x63\x90",  # about work that it has not
    ],
)
def test_what_a_task_writes_into_the_pipe_crashes_that_child_only(driver, garbage):
    crash = _crash(driver.run(chunk("pool_tasks:write_into_pipe", (garbage,))))
    assert crash.reason.startswith("wrote into farpool's pipe")
    assert crash.lost == (("work", ((0, 1),)),)
    assert driver.call("pool_tasks:echo", (1,)) == {0: 1}


def test_half_a_message_does_not_hold_the_daemon_up():
    with Driver(grace_seconds=0.1) as driver:
        half = b"\xfaP\x00\x00\xff\x00\x00\x00\x92"
        driver.send(chunk("pool_tasks:write_into_pipe", (half, True), limit=0.5), slot=0)
        assert driver.call("pool_tasks:echo", (1,)) == {0: 1}
        assert _crash(driver.until(crashes)).lost == (("work", ((0, 1),)),)


def test_what_a_task_writes_into_every_file_costs_no_other_child(driver):
    driver.wait_idle()
    other = psutil.Process(values(driver.run(chunk("pool_tasks:pid", ()), slot=1))[0])
    _crash(driver.run(chunk("pool_tasks:write_into_every_file", ()), slot=0))
    driver.wait_idle()
    assert other.is_running()


def test_a_task_that_closes_every_file_is_a_crash(driver):
    crash = _crash(driver.run(chunk("pool_tasks:close_everything", ())))
    assert (crash.reason, crash.running) == ("closed its pipe", ("work", 0))


# --- starting again --------------------------------------------------------------------------------


def test_the_first_crash_is_answered_at_once_and_further_ones_ever_later():
    assert [restart_delay(crashes) for crashes in range(9)] == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]


def test_a_child_that_worked_is_replaced_at_once(driver):
    for _ in range(3):
        driver.run(chunk("pool_tasks:echo", (1,)), slot=0)
        driver.run(chunk("pool_tasks:leave", (1,)), slot=0)
    assert driver.pool._slots[0].crashes == 1


def test_children_that_never_get_ready_are_told(monkeypatch):
    monkeypatch.setattr(Pool, "_start_fields", lambda self: ["start", "of another version"])
    with Driver(1) as driver:
        events = driver.until(lambda _: driver.pool.cannot_start)
        assert {(event.exitcode, event.running, event.lost) for event in events} == {(1, None, ())}
        assert driver.pool.idle() == []


def test_children_that_die_at_their_start_are_replaced_ever_later(monkeypatch):
    monkeypatch.setattr(Pool, "_start_fields", lambda self: ["start", "of another version"])
    with Driver(1) as driver:
        began, deaths = time.monotonic(), 0
        while time.monotonic() < began + 1.0:
            deaths += len(driver.until(crashes))
        # One at once, then after 0, 0.1, 0.2, 0.4 and 0.8 s; a slow machine has fewer.
        assert deaths <= 6


def test_a_process_that_cannot_be_started_is_told(monkeypatch):
    def launch(self, name):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("farpool_worker.pool.forkserver.Launcher.launch", launch)
    with Driver(1) as driver:
        (crash, *_) = driver.until(crashes)
        assert (crash.pid, crash.lost) == (0, ())
        assert "Resource temporarily unavailable" in crash.reason


def test_a_stage_gone_is_final(driver):
    driver.wait_idle()
    child = driver.pool._slots[0].child
    child.kill()
    driver.until(crashes)
    child.kill()
    assert child.stage is Stage.GONE
    assert child.poll([child.end]) == []
