"""Progress and output of tasks, from their processes to futures, jobs and the command line."""

import json
import os
import signal
import subprocess
import sys

import pytest
import telling_tasks
from daemons import daemons, wait_for
from rq import Callback, Queue

from farpool import Executor, Serializer, TaskProgress, WorkerLostError
from farpool_common.broker import connect, said_by
from farpool_common.keys import Keys


@pytest.fixture
def farpool(host):
    """The command line, on the standing daemon's server: standard output and error."""

    def run(*words, url=host.url, code=0):
        command = [sys.executable, "-m", "farpool", *words, "-u", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    return run


def said(url, task_id):
    with connect(url) as client:
        return said_by(client, Keys(), url, task_id)


def test_a_future_shows_progress_while_its_call_runs_and_the_last_word_at_its_end(executor, tmp_path):
    future = executor.submit(telling_tasks.step_by_step, str(tmp_path), 3)
    assert future.progress is None
    for done in range(3):
        wait_for(lambda done=done: future.progress == TaskProgress(done, 3, "steps"))
        (tmp_path / str(done)).touch()
    assert future.result() == 3
    assert future.progress == TaskProgress(3, 3, "steps")


def test_each_of_many_quick_calls_has_said_its_last_word_before_its_result(executor):
    futures = [executor.submit(telling_tasks.one_report, number) for number in range(200)]
    for number, future in enumerate(futures):
        assert future.result() == number
        assert future.progress == TaskProgress(number, 100, f"call {number}")


def test_a_map_whose_tasks_report_progress_is_a_map(executor):
    assert list(executor.map(telling_tasks.one_report, range(100), chunksize="auto")) == list(range(100))


def test_few_updates_reach_the_server_however_many_are_made(executor, host):
    with connect(host.url) as client:
        before = client.info("commandstats").get("cmdstat_xadd", {"calls": 0})["calls"]
        assert executor.submit(telling_tasks.many_reports, 300_000).result() == 300_000
        after = client.info("commandstats")["cmdstat_xadd"]["calls"]
    assert after - before < 100


def test_what_a_future_wrote_is_shown_by_the_command_line(executor, farpool):
    future = executor.submit(telling_tasks.speak_in_all_ways)
    future.result()
    out, _ = farpool("logs", future.id)
    assert out.splitlines() == ["print", "no end of line", "stderr", r"bytes \xff", "logging"]
    document = json.loads(farpool("logs", future.id, "--json")[0])
    assert (document["output"], document["progress"]) == (out, None)
    assert document["bytes_written"] == len("print\nno end of line\nstderr\nbytes x\nlogging\n")


def test_a_running_task_can_be_followed_to_its_end(executor, farpool, host, tmp_path):
    path = tmp_path / "go on"
    future = executor.submit(telling_tasks.speak_and_wait, str(path))
    wait_for(lambda: future.id is not None and said(host.url, future.id).output == b"so far\n")
    command = [sys.executable, "-m", "farpool", "logs", "-f", "-u", host.url, future.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "so far\n"
        path.touch()
        assert following.stdout.read() == "the rest\n"
    assert following.returncode == 0
    assert future.result() is None


def test_the_last_words_of_a_killed_task_are_kept(executor, farpool, tmp_path):
    (tmp_path / "now").touch()
    future = executor.options(retries=0).submit(telling_tasks.speak_and_die, str(tmp_path / "now"))
    with pytest.raises(WorkerLostError):
        future.result()
    assert future.progress == TaskProgress(3, 7, "dying")
    assert farpool("logs", future.id) == ("last words", "farpool: 3 of 7 (43%) dying\n")


def test_what_a_task_wrote_before_its_host_was_lost_is_kept(server, tmp_path, leaves_nothing):
    with Executor(server.url) as executor, daemons(server.url, tmp_path, "lost") as (lost,):
        future = executor.options(retries=0).submit(telling_tasks.speak_and_wait, str(tmp_path / "never"))
        wait_for(lambda: future.id is not None and said(server.url, future.id).output == b"so far\n")
        os.kill(lost.pid, signal.SIGKILL)
        lost.wait()
        assert said(server.url, future.id).output == b"so far\n"
        executor.shutdown(wait=False, cancel_futures=True)
        future.cancel()


def test_a_task_that_says_nothing_leaves_nothing(executor, host):
    with connect(host.url) as client:
        before = set(client.keys(Keys().output("*"))) | set(client.keys(Keys().progress("*")))
        assert executor.submit(telling_tasks.silent).result() == 1
        assert set(client.keys(Keys().output("*"))) | set(client.keys(Keys().progress("*"))) == before


def test_the_words_of_jobs_are_kept_as_long_as_their_results(server, client, tmp_path, farpool):
    queue = Queue(connection=client, serializer=Serializer)
    with daemons(server.url, tmp_path, "ours", options=("-c", "1", "--accept", "msgpack,pickle,json")) as (ours,):
        spoke = queue.enqueue(telling_tasks.speak, "one", result_ttl=5000)
        counted = queue.enqueue(telling_tasks.many_reports, 10, result_ttl=5000)
        failed = queue.enqueue(telling_tasks.fail_loudly, failure_ttl=7000)
        by_rq = queue.enqueue(telling_tasks.speak, "two", on_success=Callback("telling_tasks.speak"), result_ttl=5000)
        jobs = [spoke, counted, failed, by_rq]
        wait_for(lambda: all(job.get_status() in ("finished", "failed") for job in jobs))
        keys = [Keys().output(job.id) for job in (spoke, failed, by_rq)] + [Keys().progress(counted.id)]
        wait_for(lambda: all(0 < client.ttl(key) <= 7000 for key in keys))
        assert [round(client.ttl(key), -3) for key in keys] == [5000, 7000, 5000, 5000]
        assert farpool("logs", spoke.id, url=server.url) == ("one\n", "")
        assert farpool("logs", failed.id, url=server.url)[0] == "before the error\n"
        assert farpool("logs", by_rq.id, url=server.url)[0].startswith("two\n")
        assert json.loads(farpool("logs", counted.id, "--json", url=server.url)[0]) == {
            "id": counted.id,
            "status": "finished",
            "progress": {"done": 10, "total": 10, "label": "many"},
            "output": "",
            "bytes_written": 0,
        }
    assert ours.text().count("before the error") == 0  # stdout stays stdout


def test_output_goes_where_it_went_before(server, tmp_path):
    script = (
        "import telling_tasks\nfrom farpool import Executor\n"
        f"Executor({server.url!r}).submit(telling_tasks.speak_in_all_ways).result()"
    )
    worker = [sys.executable, "-m", "farpool_worker", "-u", server.url, "-c", "1", "--max-idle-time", "5"]
    with (
        (tmp_path / "out").open("wb") as out,
        (tmp_path / "err").open("wb") as err,
        subprocess.Popen(worker, cwd=os.path.dirname(telling_tasks.__file__), stdout=out, stderr=err) as running,
    ):
        environ = os.environ | {"PYTHONPATH": os.path.dirname(telling_tasks.__file__)}
        subprocess.run([sys.executable, "-c", script], env=environ, check=True, timeout=60)
        running.terminate()
        running.wait(30)
    assert (tmp_path / "out").read_bytes() == b"print\nno end of line\nbytes \xff\n".replace(b"line\n", b"line")
    assert b"stderr\n" in (tmp_path / "err").read_bytes()


def test_nothing_is_kept_where_the_worker_was_told_so(server, client, tmp_path):
    with (
        daemons(server.url, tmp_path, "quiet", options=("-c", "1", "--log-bytes", "0")),
        Executor(server.url) as executor,
    ):
        future = executor.submit(telling_tasks.speak, "word")
        future.result()
        assert client.keys(Keys().output("*")) == []


def test_a_task_of_which_nothing_is_known_is_an_error(farpool):
    assert "knows no task nope" in farpool("logs", "nope", code=1)[1]


def test_of_a_task_that_writes_much_the_end_is_kept(executor, farpool):
    future = executor.submit(telling_tasks.speak_much, 20_000)
    future.result()
    out, err = farpool("logs", future.id)
    assert len(out) == 64 * 1024
    assert out.endswith("line 00019999\n")
    assert err == f"farpool: the first {20_000 * 14 - 64 * 1024:,} bytes are not kept\n"
