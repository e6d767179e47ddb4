"""`Process`, as multiprocessing's and as ours."""

import multiprocessing.connection
import os

import conformance_tasks as tasks
import pytest


@pytest.fixture
def started(tools, tmp_path):
    """A process that waits for the file `go`."""
    process = tools.Process(
        target=tasks.note_start_and_wait, args=(str(tmp_path / "began"), str(tmp_path / "go")), name="waits"
    )
    process.start()
    yield process
    if not repr(process).count("closed") and process.is_alive():
        process.kill()
        process.join(30)


def test_a_process_runs_its_target(tools, tmp_path):
    process = tools.Process(target=tasks.note, args=(str(tmp_path / "said"),), kwargs={"word": "hello"})
    assert (process.exitcode, process.pid, process.is_alive(), process.daemon) == (None, None, False, False)
    process.start()
    process.join(30)
    assert (process.exitcode, process.is_alive()) == (0, False)
    assert process.pid != os.getpid()
    assert (tmp_path / "said").read_text() == "hello"


ENDS = {
    "returns": (tasks.square, (2,), 0),
    "raises": (tasks.fail, ("wrong",), 1),
    "exits with 0": (tasks.leave, (0,), 0),
    "exits with 3": (tasks.leave, (3,), 3),
    "exits with None": (tasks.leave, (None,), 0),
    "exits with a text": (tasks.leave, ("text",), 1),
    "is killed": (tasks.die, (9,), -9),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_exit_code_tells_how_it_ended(tools, end):
    target, args, exitcode = ENDS[end]
    process = tools.Process(target=target, args=args)
    process.start()
    process.join(60)
    assert process.exitcode == exitcode


def test_a_traceback_is_printed(tools, capfd):
    process = tools.Process(target=tasks.fail, args=("wrong",), name="unlucky")
    process.start()
    process.join(30)
    said = capfd.readouterr().err
    assert "Process unlucky:" in said
    assert "ValueError: wrong" in said
    assert "conformance_tasks.py" in said


def test_joining_ends_at_its_timeout(started, tmp_path):
    started.join(0.05)
    assert (started.exitcode, started.is_alive()) == (None, True)
    assert "name='waits'" in repr(started)
    assert "started" in repr(started)
    (tmp_path / "go").touch()
    started.join(30)
    assert started.exitcode == 0
    assert "stopped exitcode=0>" in repr(started)


@pytest.mark.parametrize(("how", "exitcode", "name"), [("terminate", -15, "SIGTERM"), ("kill", -9, "SIGKILL")])
def test_a_running_process_can_be_ended(started, tmp_path, how, exitcode, name):
    tasks.wait_for(str(tmp_path / "began"))
    getattr(started, how)()
    started.join(30)
    assert (started.exitcode, started.is_alive()) == (exitcode, False)
    assert f"exitcode=-{name}>" in repr(started)


def test_a_sentinel_is_ready_at_the_end(started, tmp_path):
    sentinel = started.sentinel
    assert multiprocessing.connection.wait([sentinel], 0) == []
    (tmp_path / "go").touch()
    assert multiprocessing.connection.wait([sentinel], 30) == [sentinel]
    started.join(30)
    started.close()


def test_a_subclass_brings_its_own_run(tools, tmp_path):
    process = (tasks.FarpoolWriter if tools.is_farpool else tasks.Writer)(str(tmp_path / "said"), "ab")
    process.name = "writer"
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert (tmp_path / "said").read_text() == "writer abab"


def test_processes_run_side_by_side(tools, tmp_path):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    pairs = [(first, second), (second, first)]
    processes = [tools.Process(target=tasks.note_start_and_wait, args=pair) for pair in pairs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_process_starts_once(started):
    with pytest.raises(AssertionError, match="cannot start a process twice"):
        started.start()
    with pytest.raises(AssertionError):
        started.daemon = True


def test_a_process_that_was_not_started_cannot_be_joined(tools):
    with pytest.raises(AssertionError, match="can only join a started process"):
        tools.Process(target=tasks.square).join()
    with pytest.raises(ValueError):
        _ = tools.Process(target=tasks.square).sentinel


def test_a_closed_process_is_of_no_use(started, tmp_path):
    with pytest.raises(ValueError, match="Cannot close a process while it is still running"):
        started.close()
    (tmp_path / "go").touch()
    started.join(30)
    started.close()
    with pytest.raises(ValueError, match="process object is closed"):
        started.join()
    assert "closed" in repr(started)


def test_processes_are_named_and_numbered(tools):
    first, second = tools.Process(target=tasks.square), tools.Process(target=tasks.square, daemon=True)
    assert first.name != second.name
    assert first.name.startswith("Process-")
    assert (second.daemon, "daemon" in repr(second)) == (True, True)
