"""The daemon forks its template.  Tasks get its memory, and nothing else of it."""

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from daemons import Daemon, daemons, wait_for
from tasks import square, surroundings

from farpool import Executor


def shared_bytes(process: psutil.Process) -> int:
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    match = re.search(r"^Shared_Dirty:\s+(\d+) kB", text, re.M)
    assert match is not None
    return 1024 * int(match[1])


def is_forked(daemon: Daemon) -> bool:
    return daemon.children()[0].parent().cmdline() == psutil.Process(daemon.pid).cmdline()


def test_children_share_what_the_daemon_has_loaded(server, tmp_path):
    with daemons(server.url, tmp_path, "a", options=("-c", "2")) as (daemon,):
        wait_for(lambda: len(daemon.children()) == 2)
        assert is_forked(daemon)
        own = psutil.Process(daemon.pid)
        assert all(shared_bytes(process) > 20e6 for process in (own, *daemon.children()))


def test_a_task_finds_nothing_of_the_daemon_but_its_memory(server, tmp_path):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        seen = executor.submit(surroundings).result()
        assert is_forked(daemon)
        address = server.url.partition("://")[2].split("?")[0]
        assert address not in repr(seen)
        assert [name for name in seen["files"] if name.startswith("socket:")] != []  # its pipe
        connected = {f"socket:[{inode}]" for inode in _inodes(daemon.pid)}
        assert not connected & set(seen["files"])
        assert (seen["handlers"], seen["level"], seen["threads"]) == ([], logging.WARNING, 1)
        assert seen["arguments"] == ["-c"]


def _inodes(pid: int) -> list[str]:
    links = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return [match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))]


@pytest.mark.parametrize("which", ["template", "tracker"])
def test_what_was_forked_and_is_killed_is_started_anew(server, tmp_path, which):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        assert executor.submit(square, 2).result() == 4
        template = daemon.children()[0].parent()
        (tracker,) = set(psutil.Process(daemon.pid).children()) - {template}
        (template if which == "template" else tracker).kill()
        for child in daemon.children():  # those of the template die with it
            with suppress(psutil.NoSuchProcess):
                child.kill()
        assert [executor.submit(square, n).result(60) for n in range(3)] == [0, 1, 4]
        daemon.terminate()
        assert daemon.wait() == 0


def test_with_threads_in_numeric_libraries_the_template_is_a_program_of_its_own(server, tmp_path):
    with daemons(server.url, tmp_path, "a", OMP_NUM_THREADS="2") as (daemon,), Executor(server.url) as executor:
        assert executor.submit(surroundings).result()["warm"][1] == "2"
        assert not is_forked(daemon)
