"""Local pools: ready when they return, gone with their owner, and the reason shown when they do not start."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from processes import PATIENCE_SECONDS, is_alive, wait_until
from rq import Queue
from rq.job import Job, JobStatus

from farpool.embedded import LocalPool, Server, WorkerPlan, WorkerProcess
from farpool_common.broker import live_hosts
from farpool_common.codec import Serializer
from farpool_common.errors import FarpoolError
from farpool_common.keys import Keys

OWNER = """
import json, os, signal, sys, threading
import redis
from farpool.embedded import LocalPool, process_pool

def say(pool, **more):
    pid = redis.Redis.from_url(pool.url).info("server")["process_id"]
    workers = [worker._guardian._process.pid for worker in pool._workers]
    print(json.dumps({"server": pid, "workers": workers, "url": pool.url, **more}), flush=True)
"""


class Owner:
    """A process with a pool in it, in a session of its own like a terminal's job."""

    def __init__(self, script: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER + script],
            env=os.environ | {"TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.said = self.read()
        workers = [psutil.Process(pid) for pid in self.said["workers"]]
        children = [child for worker in workers for child in worker.children(recursive=True)]
        server = psutil.Process(self.said["server"])
        self.others = [server, psutil.Process(server.ppid()), *workers, *children]
        self.folder = folder

    def read(self) -> dict[str, object]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def is_cleaned_up(self) -> bool:
        """At the latest a tenth of a second after the owner's end, when the last sleep of a guardian is over."""
        return not any(is_alive(each) for each in self.others) and list(self.folder.iterdir()) == []


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Callable[[str], Owner]]:
    owners: list[Owner] = []

    def start(script: str) -> Owner:
        owners.append(Owner(script, tmp_path))
        return owners[-1]

    yield start
    for each in owners:
        each.process.kill()
        each.process.communicate()
        wait_until(each.is_cleaned_up)


def run_job(url: str, function: str, *args: object) -> object:
    """The result of a plain RQ job."""
    client = redis.Redis.from_url(url)
    job = Queue(connection=client, serializer=Serializer).enqueue(function, args=args)
    over = (JobStatus.FINISHED, JobStatus.FAILED)
    wait_until(lambda: job.get_status() in over)
    result = Job.fetch(job.id, client, serializer=Serializer).latest_result()
    assert result is not None
    assert result.type == result.Type.SUCCESSFUL, result.exc_string
    return result.return_value


# --- what it is -----------------------------------------------------------------------------------


def test_named_hosts_with_their_slots_are_ready_when_it_returns() -> None:
    with LocalPool([("alpha", 1), ("beta", 2)]) as pool:
        hosts = live_hosts(redis.Redis.from_url(pool.url), Keys())
        assert [(host.name, host.slots, host.queues) for host in hosts] == [
            ("alpha", 1, ("default",)),
            ("beta", 2, ("default",)),
        ]
        assert pool.slots == 3
        assert pool.is_running


def test_its_workers_run_what_they_can_import(tmp_path: Path) -> None:
    (tmp_path / "only_here.py").write_text("def double(x):\n    return 2 * x\n")
    with LocalPool([("alpha", 1)], paths=[tmp_path]) as pool:
        assert run_job(pool.url, "only_here.double", 21) == 42
        assert run_job(pool.url, "operator.add", 1, 2) == 3


def test_it_works_below_another_prefix_and_ignores_the_users_settings_for_workers() -> None:
    theirs = {
        "RQ_KEY_PREFIX": "{mine}:rq",
        "FARPOOL_NAME": "other",
        "FARPOOL_BURST": "1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    with LocalPool([("alpha", 1)], environ=os.environ | theirs) as pool:
        hosts = live_hosts(redis.Redis.from_url(pool.url), Keys("{mine}:rq"))
        assert [host.name for host in hosts] == ["alpha"]


def test_close_leaves_no_process_and_no_directory(owner: Callable[[str], Owner]) -> None:
    found = owner("pool = LocalPool([('a', 1), ('b', 1)]); say(pool); sys.stdout.flush(); signal.pause()")
    assert all(is_alive(each) for each in found.others)
    found.process.terminate()
    wait_until(found.is_cleaned_up)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_pool_ends_with_its_owner(owner: Callable[[str], Owner], number: signal.Signals) -> None:
    found = owner("pool = LocalPool([('a', 2)]); say(pool); signal.pause()")
    found.process.send_signal(number)
    wait_until(found.is_cleaned_up)


def test_a_busy_pool_ends_with_its_owner(owner: Callable[[str], Owner]) -> None:
    found = owner("pool = LocalPool([('a', 1)]); say(pool); signal.pause()")
    client = redis.Redis.from_url(str(found.said["url"]))
    job = Queue(connection=client, serializer=Serializer).enqueue("time.sleep", args=(1000,))
    wait_until(lambda: job.get_status() == JobStatus.STARTED)
    found.process.kill()
    wait_until(found.is_cleaned_up)


def test_ctrl_c_ends_it_after_the_owner_has_cleaned_up(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
with LocalPool([("a", 1)]) as pool:
    try:
        say(pool)
        signal.pause()
    except KeyboardInterrupt:
        say(pool, running=pool.is_running)
"""
    )
    os.killpg(found.process.pid, signal.SIGINT)  # what a terminal does
    assert found.read() == {**found.said, "running": True}
    assert found.process.wait(PATIENCE_SECONDS) == 0
    wait_until(found.is_cleaned_up)


# --- the pool of a process ------------------------------------------------------------------------


def test_a_process_has_one_pool_whichever_thread_asks_and_says_so_once(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
pools = []
threads = [threading.Thread(target=lambda: pools.append(process_pool())) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
say(pools[0], same=len(set(map(id, pools))) == 1, slots=pools[0].slots)
"""
    )
    assert found.said["same"] is True
    assert found.process.wait(PATIENCE_SECONDS) == 0
    wait_until(found.is_cleaned_up)
    assert found.process.stderr is not None
    assert found.process.stderr.read().decode() == (
        "farpool: no Redis at localhost:6379; started an embedded server and "
        f"{found.said['slots']} slots for this process\n"
    )


def test_a_forked_child_neither_stops_nor_takes_over_the_pool(owner: Callable[[str], Owner]) -> None:
    found = owner(
        """
pool = process_pool()
pid = os.fork()
if not pid:
    pool.close()
    sys.exit(0)  # with the exit handlers
os.waitpid(pid, 0)
say(pool, running=pool.is_running)
sys.stdin.read()
"""
    )
    assert found.said["running"] is True


def test_a_task_does_not_start_a_pool_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "from farpool.embedded import process_pool\n\ndef start():\n"
        "    try:\n        process_pool()\n    except Exception as error:\n        return str(error)\n"
    )
    with LocalPool([("alpha", 1)], paths=[tmp_path]) as pool:
        assert '__name__ == "__main__"' in str(run_job(pool.url, "greedy.start"))


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_worker_that_ends_at_its_start_shows_its_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = "import sys; sys.stderr.write('no \\x1b[2Jmodule\\n'); sys.exit(70)"
    monkeypatch.setattr(WorkerPlan, "argv", lambda _: [sys.executable, "-c", script])
    with pytest.raises(FarpoolError) as caught:
        LocalPool([("alpha", 1)])
    assert str(caught.value) == "worker alpha ended at its start, exit code 70:\n    no \\x1b[2Jmodule"
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_never_signs_on_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    script = f"import os, signal; open({str(pid_file)!r}, 'w').write(str(os.getpid())); signal.pause()"
    monkeypatch.setattr(WorkerPlan, "argv", lambda _: [sys.executable, "-c", script])
    monkeypatch.setattr("farpool.embedded.local_pool.START_SECONDS", 1.0)
    with pytest.raises(FarpoolError, match="worker alpha was not ready in time"):
        LocalPool([("alpha", 1)])
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_a_worker_that_does_not_drain_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import redis
redis.Redis.from_url(os.environ["FARPOOL_URL"]).zadd("rq:farpool:hosts", {"alpha": (time.time() + 60) * 1000})
signal.pause()
"""
    monkeypatch.setattr(WorkerPlan, "argv", lambda _: [sys.executable, "-c", script])
    monkeypatch.setattr("farpool.embedded.local_pool.DRAIN_SECONDS", 0.1)
    pool = LocalPool([("alpha", 1)])
    daemon = psutil.Process(pool._workers[0]._guardian._process.pid).children()[0]
    pool.close()
    assert not is_alive(daemon)


def test_the_daemon_of_an_earlier_run_does_not_count_as_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerPlan, "argv", lambda _: ["sleep", "1000"])
    with Server() as server:
        redis.Redis.from_url(server.url).zadd(Keys().hosts, {"alpha": (time.time() - 1) * 1000})
        worker = WorkerProcess(server, WorkerPlan(name="alpha"), log=None, environ={"PATH": os.environ["PATH"]})
        try:
            with pytest.raises(FarpoolError, match="not ready in time"):
                worker.wait_until_listed(time.monotonic() + 0.1)
        finally:
            worker.close(0)
