"""Ctrl-C in programs that wait for calls: a real signal to a real process."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
import tasks
from daemons import SUPPORT, wait_for

SLOTS = 2

WAYS = [
    "in the block",
    "in result",
    "in as_completed",
    "in map",
    "in map of chunks",
    "in await",
    "at the end of the block",
    "at the end of the program",
]


@pytest.mark.parametrize("how", WAYS)
def test_ctrl_c_ends_the_program_and_its_calls(host, executor, tmp_path, how):
    command = [sys.executable, str(SUPPORT / "interrupted_script.py"), host.url, how, str(tmp_path)]
    # As in a terminal: this test process may have been started with the signal ignored.
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_ctrl_c)
    try:
        wait_for(lambda: len(os.listdir(tmp_path)) == SLOTS or program.poll() is not None)
        if how.startswith("at the end"):
            _wait_until_it_joins(program)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
    assert "KeyboardInterrupt" in errors
    pids = [int(name.partition(".")[0]) for name in os.listdir(tmp_path)]
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert executor.submit(tasks.square, 3).result(60) == 9  # behind all that was queued
    assert len(os.listdir(tmp_path)) == SLOTS


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _wait_until_it_joins(program) -> None:
    """Its main thread has nothing left to do but to wait for others: nothing of it runs any more."""
    wait_for(lambda: _main_thread_waits(program.pid))


def _main_thread_waits(pid: int) -> bool:
    with open(f"/proc/{pid}/wchan") as file:
        return "futex" in file.read()
