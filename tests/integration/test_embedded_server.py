"""The embedded server: private, ready when it returns, and gone when its owner is gone, however it went."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from processes import PATIENCE_SECONDS, is_alive, wait_until

from farpool.embedded.ask import ask
from farpool.embedded.binary import find_server_binary
from farpool.embedded.server import Server
from farpool_common.errors import ServerUnreachableError, SettingsError

OWNER = """
import json, os, signal, subprocess, sys, threading, time
import redis
from farpool.embedded.server import Server

def say(server, **more):
    pid = redis.Redis.from_url(server.url).info("server")["process_id"]
    print(json.dumps({"server": pid, "directory": str(server.directory), **more}), flush=True)
"""


@pytest.fixture(params=sorted({str(find_server_binary()), str(find_server_binary(""))}))
def binary(request: pytest.FixtureRequest) -> Path:
    """Every server program of this machine: the one that would be chosen, and the bundled one."""
    return Path(request.param)


class Owner:
    """A process that runs a script with a Server in it, in a session of its own like a terminal's job."""

    def __init__(self, script: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER + script], stdout=subprocess.PIPE, start_new_session=True
        )
        said = self.read()
        self.server = psutil.Process(said["server"])
        self.guardian = psutil.Process(self.server.ppid())
        self.directory = Path(said["directory"])
        self.said = said

    def read(self) -> dict[str, int]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def is_cleaned_up(self) -> bool:
        return not (is_alive(self.server) or is_alive(self.guardian) or self.directory.exists())


@pytest.fixture
def owner() -> Iterator[Callable[[str], Owner]]:
    owners: list[Owner] = []

    def start(script: str) -> Owner:
        owners.append(Owner(script))
        return owners[-1]

    yield start
    for each in owners:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()
        wait_until(each.is_cleaned_up)


def server_process(server: Server) -> psutil.Process:
    return psutil.Process(redis.Redis.from_url(server.local_url).info("server")["process_id"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- what it is -----------------------------------------------------------------------------------


def test_it_answers_at_once_and_only_to_its_user(binary: Path) -> None:
    with Server(binary=binary) as server:
        assert redis.Redis.from_url(server.url).set("key", "value")
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert server_process(server).net_connections("inet") == []


def test_it_keeps_every_key_in_memory_and_nothing_on_disk(binary: Path) -> None:
    with Server(binary=binary) as server:
        found = redis.Redis.from_url(server.url).config_get("maxmemory-policy", "appendonly", "save", "dir")
        assert found == {
            "maxmemory-policy": "noeviction",
            "appendonly": "no",
            "save": "",
            "dir": str(server.directory),
        }


def test_close_stops_it_and_removes_its_directory(binary: Path) -> None:
    server = Server(binary=binary)
    process = server_process(server)
    guardian = psutil.Process(process.ppid())
    server.close()
    assert (is_alive(process), is_alive(guardian), server.directory.exists()) == (False, False, False)
    server.close()
    assert not server.is_running


def test_a_server_that_nobody_refers_to_ends() -> None:
    server = Server()
    process, directory = server_process(server), server.directory
    del server
    wait_until(lambda: not is_alive(process) and not directory.exists())


def test_a_temporary_folder_with_a_long_path_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with Server() as server:
        assert server.is_running
    assert list(long.iterdir()) == []


# --- a port and a password ------------------------------------------------------------------------


def test_with_a_port_it_listens_on_loopback(binary: Path) -> None:
    port = free_port()
    with Server(port=port, binary=binary) as server:
        assert server.url == f"redis://127.0.0.1:{port}/0"
        assert redis.Redis.from_url(server.url).ping()
        assert {each.laddr.ip for each in server_process(server).net_connections("inet")} == {"127.0.0.1"}


def test_beyond_loopback_it_wants_a_password() -> None:
    with pytest.raises(SettingsError, match="needs a password"):
        Server(port=free_port(), bind="0.0.0.0")


def test_its_password_opens_it_and_is_shown_to_nobody(binary: Path) -> None:
    password = "p@ss w/\"ö\\'#%"
    with Server(port=free_port(), bind="0.0.0.0", password=password, binary=binary) as server:
        for url in (server.url, server.local_url):
            assert redis.Redis.from_url(url).ping()
        assert ask(server.socket, "PING").startswith("-NOAUTH")
        process = server_process(server)
        for each in (process, psutil.Process(process.ppid())):
            assert password not in repr((each.cmdline(), each.environ()))


def test_a_taken_port_is_named_in_the_error_and_nothing_is_left(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerUnreachableError, match=rf"{port}.*in use"):
            Server(port=port, binary=binary)
    assert list(tmp_path.iterdir()) == []


# --- data -----------------------------------------------------------------------------------------


def test_a_data_folder_keeps_tasks_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / 'my "data"'
    with Server(data=folder) as server:
        redis.Redis.from_url(server.url).set("key", "value")
    with Server(data=folder) as server:
        assert redis.Redis.from_url(server.url).get("key") == b"value"


def test_two_servers_do_not_share_a_data_folder(tmp_path: Path) -> None:
    with Server(data=tmp_path), pytest.raises(SettingsError, match="another server keeps its data"):
        Server(data=tmp_path)


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="file/data cannot keep"):
        Server(data=tmp_path / "file/data")


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text('#!/bin/sh\necho "no \033[2Jway" >"$(dirname "$1")/server.log"\nexit 1\n')
    fake.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(ServerUnreachableError, match=r"ended at its start:\n    no \\x1b\[2Jway"):
        Server(binary=fake)
    assert list(temporary.iterdir()) == []


def test_close_ends_a_server_whose_guardian_was_killed() -> None:
    server = Server()
    process = server_process(server)
    psutil.Process(process.ppid()).kill()
    server.close()
    wait_until(lambda: not is_alive(process))
    assert not server.directory.exists()


def test_a_server_that_was_killed_is_not_running_and_can_be_closed() -> None:
    server = Server()
    server_process(server).kill()
    wait_until(lambda: not server.is_running)
    server.close()
    assert not server.directory.exists()


# --- the owner's end ------------------------------------------------------------------------------


def test_a_killed_owner_takes_the_server_with_it(owner: Callable[[str], Owner]) -> None:
    found = owner("server = Server(); say(server); signal.pause()")
    found.process.kill()
    wait_until(found.is_cleaned_up)


def test_a_killed_owner_takes_a_server_with_data_with_it(owner: Callable[[str], Owner], tmp_path: Path) -> None:
    found = owner(f"import pathlib; server = Server(data=pathlib.Path({str(tmp_path)!r})); say(server); signal.pause()")
    found.process.kill()
    wait_until(found.is_cleaned_up)


def test_a_server_outlives_the_thread_that_started_it(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
made = []
thread = threading.Thread(target=lambda: made.append(Server()))
thread.start(); thread.join()
say(made[0])
say(made[0])
signal.pause()
"""
    )
    assert found.read()["server"] == found.server.pid
    found.process.kill()
    wait_until(found.is_cleaned_up)


def test_ctrl_c_reaches_the_owner_alone(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
with Server() as server:
    try:
        say(server)
        signal.pause()
    except KeyboardInterrupt:
        say(server)
print(json.dumps({"cleaned up": not server.directory.exists()}), flush=True)
"""
    )
    os.killpg(found.process.pid, signal.SIGINT)  # what a terminal does
    assert found.read()["server"] == found.server.pid
    assert found.read() == {"cleaned up": True}
    assert found.process.wait(PATIENCE_SECONDS) == 0
    wait_until(found.is_cleaned_up)


@pytest.mark.parametrize("how", ["fork", "multiprocessing", "program"])
def test_a_child_that_lives_on_does_not_keep_it_alive(owner: Callable[[str], Owner], how: str) -> None:
    start = {
        "fork": "pid = os.fork()\nif not pid: signal.pause()",
        "multiprocessing": "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=signal.pause); child.start(); pid = child.pid",
        "program": "pid = subprocess.Popen(['sleep', '1000'], close_fds=False).pid",
    }[how]
    found = owner(f"server = Server()\n{start}\nsay(server, child=pid)\nsignal.pause()")
    child = psutil.Process(found.said["child"])
    try:
        found.process.kill()
        wait_until(found.is_cleaned_up)
        assert is_alive(child)
    finally:
        child.kill()


def test_a_forked_child_that_ends_does_not_stop_it(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
import atexit
server = Server()
atexit.register(server.close)
pid = os.fork()
if not pid:
    server.close()
    sys.exit(0)
os.waitpid(pid, 0)
say(server)
say(server)
signal.pause()
"""
    )
    assert found.read()["server"] == found.server.pid
    assert found.directory.exists()
