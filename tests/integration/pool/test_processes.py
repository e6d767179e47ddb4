"""Children obey their pipe and SIGKILL, may have processes of their own, and do not outlive their daemon."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psutil
import pytest
from pool_driver import SUPPORT, Driver, chunk, crashes, ended, values, wait_for_file, wait_until_gone

from farpool_common.errors import SettingsError

PREAMBLE = f"""
import os, sys, time
sys.path.insert(0, {str(SUPPORT)!r})
from pool_driver import *
"""


@pytest.fixture
def program(tmp_path):
    """Runs a program that has a pool; it is gone at the end."""
    started = []

    def run(text, **options):
        file = tmp_path / f"program{len(started)}.py"
        file.write_text(PREAMBLE + textwrap.dedent(text))
        process = subprocess.Popen([sys.executable, str(file)], text=True, **options)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def short_folder():
    """For temporary files of a program.  Its path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


# --- death of the owner ----------------------------------------------------------------------------


def test_children_and_template_die_with_the_daemon(program, tmp_path, short_folder):
    """Also one that is in a busy loop, and what it has started; no folder stays either."""
    owner = program(
        f"""
        driver = Driver(3)
        driver.wait_idle()
        driver.send(chunk("pool_tasks:spin", ()), slot=0)
        driver.send(chunk("pool_tasks:start_and_hang", ({str(tmp_path / "family")!r},)), slot=1)
        wait_for_file(Path({str(tmp_path / "family")!r}))
        Path({str(tmp_path / "pids")!r}).write_text(" ".join(map(str, driver.pool.pids().values())))
        time.sleep(600)
        """,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )
    family = wait_for_file(tmp_path / "family").split()
    children = wait_for_file(tmp_path / "pids").split()
    others = _below(owner.pid)
    assert {*map(int, children), *map(int, family)} < others
    owner.kill()
    owner.wait()
    wait_until_gone(*others)
    assert list(short_folder.iterdir()) == []


def test_spawned_children_die_with_the_daemon(program, tmp_path):
    owner = program(f"""
        if __name__ == "__main__":
            driver = Driver(2, start_method="spawn")
            driver.wait_idle()
            driver.send(chunk("pool_tasks:spin", ()), slot=0)
            Path({str(tmp_path / "pids")!r}).write_text(" ".join(map(str, driver.pool.pids().values())))
            time.sleep(600)
        """)
    wait_for_file(tmp_path / "pids")
    others = _below(owner.pid)
    owner.kill()
    owner.wait()
    wait_until_gone(*others)


def test_children_die_with_a_template_that_is_killed(program):
    done = program("""
        import signal, psutil
        with Driver(2) as driver:
            driver.wait_idle()
            pids = driver.pool.pids()
            (template,) = {psutil.Process(pid).ppid() for pid in pids.values()}
            os.kill(template, signal.SIGKILL)
            driver.until(lambda events: {crash.pid for crash in crashes(events)} >= {*pids.values()})
            wait_until_gone(*pids.values())
            driver.wait_idle()
            assert driver.call("pool_tasks:echo", (1,)) == {0: 1}  # with another template
        """)
    assert done.wait(60) == 0


def test_the_template_has_one_thread(driver):
    driver.wait_idle()
    (template,) = {_parent(pid) for pid in driver.pool.pids().values()}
    assert len(os.listdir(f"/proc/{template}/task")) == 1


def test_blas_works_in_children(driver):
    driver.wait_idle()
    for slot in (0, 1):
        assert values(driver.run(chunk("pool_tasks:solved", (400,)), slot=slot)) == {0: 200.0}


# --- polite signals --------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_polite_signal_to_everybody_ends_no_task(driver, tmp_path, signum):
    go = tmp_path / "go"
    driver.send(chunk("pool_tasks:announce_then_wait", (str(tmp_path / "pid"), str(go))))
    pid = int(wait_for_file(tmp_path / "pid"))
    for process in (pid, _parent(pid)):
        os.kill(process, signum)
    go.touch()
    assert values(driver.until(lambda events: ended(events) == 1)) == {0: str(go)}


# --- processes of tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_task_may_use_multiprocessing(driver, method):
    assert driver.call("pool_tasks:squares", (method, [1, 2, 3])) == {0: [1, 4, 9]}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_task_can_end_its_processes_politely(driver, method):
    assert driver.call("pool_tasks:terminated", (method,)) == {0: -signal.SIGTERM}


def test_a_task_can_end_its_programs_politely(driver):
    assert driver.call("pool_tasks:program_terminated", ()) == {0: -signal.SIGTERM}


def test_what_a_killed_child_had_started_is_killed_too(driver, tmp_path):
    driver.send(chunk("pool_tasks:start_and_hang", (str(tmp_path / "family"),)))
    child, grandchild = map(int, wait_for_file(tmp_path / "family").split())
    os.kill(child, signal.SIGKILL)
    driver.until(crashes)
    wait_until_gone(child, grandchild)


# --- open and close --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_five_pools_leave_no_process_no_file_and_no_folder(program, short_folder, method):
    done = program(
        f"""
        import psutil
        if __name__ == "__main__":
            seen = []
            for kill in (True, False, True, False, False):
                with Driver(2, start_method={method!r}) as driver:
                    assert driver.call("pool_tasks:echo", (1,)) == {{0: 1}}
                    driver.pool.close(kill=kill)
                assert psutil.Process().children(recursive=True) == []
                assert os.listdir(os.environ["TMPDIR"]) == []
                seen.append(sorted(os.listdir("/proc/self/fd")))
            assert seen[0] == seen[-1], seen
        """,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )
    assert done.wait(60) == 0


def _made(folder):
    folder.mkdir()
    return folder


def test_closing_with_work_in_hand_ends_it(driver):
    driver.send(chunk("pool_tasks:spin", ()))
    driver.pool.close(kill=True)
    driver.pool.close(kill=True)
    assert (driver.pool.pids(), driver.pool.idle(), driver.pool.waitables()) == ({}, [], [])
    assert driver.pool.next_tick(0.0) is None


def test_a_program_that_forgets_to_close_ends(program):
    assert program("Driver(2).wait_idle()").wait(60) == 0


def test_the_program_is_not_run_again_in_children(program, tmp_path):
    done = program(f"""
        with open({str(tmp_path / "runs")!r}, "a") as file:
            file.write("run ")
        for method in ("forkserver", "spawn"):
            with Driver(1, start_method=method) as driver:
                driver.wait_idle()
        """)
    assert done.wait(60) == 0
    assert (tmp_path / "runs").read_text() == "run "


def test_a_long_path_of_the_temporary_folder_does_no_harm(program, tmp_path):
    folder = _made(tmp_path / ("long" * 20))
    done = program("with Driver(1) as driver: driver.wait_idle()", env={**os.environ, "TMPDIR": str(folder)})
    assert done.wait(60) == 0
    assert list(folder.iterdir()) == []


def test_two_pools_share_a_template_until_the_last_closes(driver):
    with Driver(1) as other:
        other.wait_idle()
    assert driver.call("pool_tasks:echo", (1,)) == {0: 1}


def test_an_unknown_start_method_is_refused():
    with pytest.raises(SettingsError, match="forkserver, spawn"):
        Driver(1, start_method="fork")


def _below(pid):
    return {process.pid for process in psutil.Process(pid).children(recursive=True)}


def _parent(pid):
    return psutil.Process(pid).ppid()
