"""`farpool run` and `farpool up`, started as a shell starts them."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from processes import PATIENCE_SECONDS, is_alive, wait_until
from rq import Queue
from rq.job import JobStatus

from farpool_common.codec import Serializer

JOB = """
import os, sys, time
import redis
from rq import Queue
from farpool_common.codec import Serializer

def double(x):
    return 2 * x

if __name__ == "__main__":
    queue = Queue(connection=redis.Redis.from_url(os.environ["FARPOOL_URL"]), serializer=Serializer)
    job = queue.enqueue("script.double", 21)
    deadline = time.monotonic() + 20
    while job.latest_result() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    print(job.latest_result().return_value, sys.argv[1:])
    sys.exit(7)
"""


class Command:
    """A `farpool` command in a session of its own, like a terminal's job."""

    def __init__(self, words: tuple[str, ...], folder: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from farpool.cli import main; main()", *words],
            cwd=folder,
            env=environ | {"TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.folder = folder
        self.started: set[psutil.Process] = set()

    def read_until(self, pattern: str) -> str:
        """Standard output up to a line that matches; remembers every process that runs then."""
        assert self.process.stdout is not None
        seen = ""
        while not re.search(pattern, seen):
            line = self.process.stdout.readline()
            assert line, f"it ended: {seen}{self.process.communicate()[1]}"
            seen += line
        self.started |= set(psutil.Process(self.process.pid).children(recursive=True))
        return seen

    def finish(self) -> tuple[int, str, str]:
        """Exit code, the rest of standard output, standard error."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out, err

    def has_left_nothing(self) -> bool:
        return not any(is_alive(each) for each in self.started) and not list(self.folder.glob("farpool-*"))


@pytest.fixture
def farpool(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []

    def start(*words: str) -> Command:
        commands.append(Command(words, tmp_path))
        return commands[-1]

    yield start
    for each in commands:
        each.process.kill()
        each.process.communicate()
    for each in commands:
        wait_until(each.has_left_nothing)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- run ------------------------------------------------------------------------------------------


def test_a_scripts_own_functions_run_on_the_pool_and_its_exit_code_is_passed_on(
    farpool: Callable[..., Command], tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "script.py").write_text(JOB)
    code, out, err = farpool("run", "-c", "1", "elsewhere/script.py", "-c", "word", "--flag").finish()
    assert (code, out) == (7, "42 ['-c', 'word', '--flag']\n"), err
    assert not list(tmp_path.glob("farpool-*"))


def test_a_script_that_is_killed_gives_the_shells_exit_code(farpool: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert farpool("run", "-c", "1", "script.py").finish()[0] == 137


SLOW = """
import os, signal, time
try:
    print("ready", flush=True)
    time.sleep(1000)
except KeyboardInterrupt:
    import redis
    print("server answers:", redis.Redis.from_url(os.environ["FARPOOL_URL"]).ping(), flush=True)
"""


def test_ctrl_c_lets_the_script_clean_up_before_the_pool_goes(farpool: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SLOW)
    command = farpool("run", "-c", "1", "script.py")
    command.read_until("ready")
    os.killpg(command.process.pid, signal.SIGINT)  # what a terminal does
    assert command.finish() == (0, "server answers: True\n", "")
    assert command.has_left_nothing()


def test_sigterm_is_passed_on_to_the_script(farpool: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SLOW)
    command = farpool("run", "-c", "1", "script.py")
    command.read_until("ready")
    command.process.terminate()
    assert command.finish()[0] == 128 + signal.SIGTERM
    assert command.has_left_nothing()


def test_a_script_that_does_not_exist_is_a_usage_error(farpool: Callable[..., Command]) -> None:
    code, _, err = farpool("run", "nowhere.py").finish()
    assert (code, "nowhere.py" in err) == (2, True)


# --- up -------------------------------------------------------------------------------------------


def test_up_serves_jobs_until_it_is_told_to_stop(farpool: Callable[..., Command]) -> None:
    port = free_port()
    command = farpool("up", "mail", "-c", "1", "--allow-any", "--port", str(port))
    said = command.read_until("--bind")
    assert "1 slots here" in said
    url = f"redis://127.0.0.1:{port}/0"
    assert f"FARPOOL_URL={url} python script.py" in said
    job = Queue("mail", connection=redis.Redis.from_url(url), serializer=Serializer).enqueue("operator.add", 1, 2)
    wait_until(lambda: job.get_status() == JobStatus.FINISHED)
    command.process.terminate()
    code, _, err = command.finish()
    assert code == 0, err
    assert command.has_left_nothing()


def test_up_keeps_its_tasks_in_a_data_folder(farpool: Callable[..., Command], tmp_path: Path) -> None:
    words = ("up", "mail", "-c", "1", "--port", str(free_port()), "--data", str(tmp_path / "data"))
    command = farpool(*words)
    command.read_until("--bind")
    url = f"redis://127.0.0.1:{words[5]}/0"
    job = Queue("later", connection=redis.Redis.from_url(url), serializer=Serializer).enqueue("operator.add", 1, 2)
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.finish()[0] == 0
    farpool(*words).read_until("--bind")
    assert redis.Redis.from_url(url).lrange("rq:queue:later", 0, -1) == [job.id.encode()]


def test_up_for_other_hosts_shows_neither_password_nor_a_command_that_would(
    farpool: Callable[..., Command], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    port = free_port()
    command = farpool("up", "-c", "1", "--port", str(port), "--bind", "0.0.0.0", "--password-file", "password")
    said = command.read_until("another host")
    assert f"FARPOOL_URL=redis://:PASSWORD@{socket.gethostname()}:{port}/0 farpool worker" in said
    assert redis.Redis(port=port, password="s3cret").ping()
    commands = [" ".join(each.cmdline()) for each in command.started]
    assert "s3cret" not in said + "".join(commands)
    command.process.terminate()
    code, _, err = command.finish()
    assert (code, "s3cret" in err) == (0, False)


def test_a_second_ctrl_c_stops_up_at_once_and_leaves_nothing(farpool: Callable[..., Command]) -> None:
    port = free_port()
    command = farpool("up", "-c", "1", "--allow-any", "--port", str(port))
    command.read_until("--bind")
    job = Queue(connection=redis.Redis(port=port), serializer=Serializer).enqueue("time.sleep", 1000)
    wait_until(lambda: job.get_status() == JobStatus.STARTED)
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.process.stderr is not None
    while "Ctrl-C again" not in command.process.stderr.readline():
        pass
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.finish()[0] == 1
    wait_until(command.has_left_nothing)


def test_up_says_when_its_server_has_ended(farpool: Callable[..., Command]) -> None:
    port = free_port()
    command = farpool("up", "-c", "1", "--port", str(port))
    command.read_until("--bind")
    psutil.Process(redis.Redis(port=port).info("server")["process_id"]).kill()
    code, _, err = command.finish()
    assert code == 1
    assert err.splitlines()[-1] == "farpool: the server ended."
