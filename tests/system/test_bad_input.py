"""What users read when something is wrong.  Each message says what happened and what to do next."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tasks
from daemons import Daemon, daemons, wait_for

from farpool import (
    ArgumentError,
    Executor,
    FunctionNotAllowedError,
    FunctionNotFoundError,
    FunctionNotImportableError,
    MalformedTaskError,
    ResultError,
    ServerRefusedError,
    ServerUnsuitableError,
    SettingsError,
    TaskLostError,
    TooLargeError,
)
from farpool.embedded import Server
from farpool_common.broker import connect


def test_a_lambda_is_refused_at_once_and_nothing_is_sent(executor, host):
    with pytest.raises(FunctionNotImportableError, match=r"a lambda.*Nothing was sent"):
        executor.submit(lambda: 1)


def test_a_closure_is_refused_at_once(executor):
    def local():
        return 1

    with pytest.raises(FunctionNotImportableError, match="defined inside another function"):
        executor.submit(local)


def test_a_function_typed_into_an_interactive_session_is_refused(host):
    script = f"from farpool import Executor\ndef f(): pass\nExecutor({host.url!r}).submit(f)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "FunctionNotImportableError" in done.stderr
    assert "interactive session" in done.stderr


def test_a_function_of_a_program_that_python_reads_from_its_input_is_refused_at_once(host):
    script = f"from farpool import Executor\ndef f(): pass\nExecutor({host.url!r}).submit(f)"
    done = subprocess.run([sys.executable], input=script, capture_output=True, text=True)
    assert "FunctionNotImportableError" in done.stderr
    assert "interactive session" in done.stderr


def test_a_refused_function_shows_one_error_and_none_of_our_own_before_it(executor):
    with pytest.raises(FunctionNotImportableError) as refused:
        executor.submit(lambda: 1)
    assert refused.value.__context__ is None, "the reader would meet a KeyError first"


def test_a_function_outside_the_workers_folders_is_refused_with_the_option_that_allows_it(executor):
    import shutil

    with pytest.raises(FunctionNotAllowedError, match=r"shutil.*--allow shutil"):
        executor.submit(shutil.rmtree, "/nowhere").result()


def test_a_module_that_no_host_has_is_named(executor, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def f(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises((FunctionNotAllowedError, FunctionNotFoundError), match=r"only_here.*-P PATH"):
        executor.submit(only_here.f).result()


def test_an_argument_that_cannot_travel_is_named_with_its_place(executor):
    with pytest.raises(ArgumentError, match=r"argument 3 \(seconds: .*lock"):
        executor.submit(tasks.noted_square, "/dev/null", 1, threading.Lock()).result()


def test_arguments_that_cannot_travel_spare_their_neighbours(executor):
    futures = [executor.submit(tasks.square, threading.Lock() if n == 7 else n) for n in range(20)]
    assert [n for n, future in enumerate(futures) if future.exception() is not None] == [7]


def test_a_result_that_cannot_travel_fails_its_task_and_says_why(executor):
    with pytest.raises(ResultError, match="lock"):
        executor.submit(tasks.returns_a_lock).result()


def test_object_arrays_are_refused_with_the_first_offending_element(executor):
    with pytest.raises(ResultError, match=r"object.*\[1\].*dict|dict.*\[1\]|object"):
        executor.submit(tasks.returns_objects).result()


def test_a_result_that_is_too_large_names_its_size_the_limit_and_the_setting(server, tmp_path):
    limit = {"FARPOOL_MAX_RESULT": "100000"}
    with daemons(server.url, tmp_path, "a", **limit), Executor(server.url) as executor:
        with pytest.raises(TooLargeError, match=r"100,000.*FARPOOL_MAX_RESULT"):
            executor.submit(tasks.returns_bytes, 200_000).result()
        assert executor.submit(tasks.returns_bytes, 5).result() == b"xxxxx"


def test_no_worker_is_said_once_after_a_while_with_the_command_that_starts_one(server, caplog):
    with Executor(server.url) as executor:
        future = executor.submit(tasks.square, 2)
        wait_for(lambda: "0 hosts listen on queue default" in caplog.text, seconds=10)
        assert "farpool worker -u" in caplog.text
        assert not future.done(), "it keeps waiting"
        assert future.cancel()


def test_a_wrong_password_is_told_to_producer_and_worker(tmp_path):
    with Server(password="right") as server:
        wrong = server.url.replace("right", "wrong")
        with pytest.raises(ServerRefusedError, match="user and password"):
            Executor(wrong)
        daemon = Daemon(wrong, "a", tmp_path / "log", "-c", "1")
        assert daemon.wait() == 77
        assert "Traceback" not in daemon.text()
        assert "wrong" not in daemon.text().replace("wrong password", ""), "the password stays secret"
        with daemons(server.url, tmp_path, "b"), Executor(server.url) as executor:
            assert executor.submit(tasks.square, 3).result() == 9


def test_a_user_without_a_right_that_we_need_is_told_which_rights_those_are(tmp_path):
    with Server(password="right") as server, connect(server.url) as client:
        client.execute_command("ACL", "SETUSER", "narrow", "on", ">secret", "~rq:*", "&rq:*", "+@all", "-info")
        with pytest.raises(ServerRefusedError, match=r"'info'.*ACL SETUSER USER ~rq:\* &rq:\* \+@all .*\+info"):
            Executor(server.url.replace("unix://:right@", "unix://narrow:secret@"))


def test_a_server_that_may_evict_tasks_is_refused_by_producer_and_worker(server, tmp_path):
    with connect(server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(ServerUnsuitableError, match="allkeys-lru may delete queued tasks: set noeviction"):
        Executor(server.url)
    daemon = Daemon(server.url, "a", tmp_path / "log", "-c", "1")
    assert daemon.wait() == 78
    assert "set noeviction" in daemon.text()


@pytest.mark.parametrize("url", ["http://x", "redis://host/jobs", "localhost:6379", "unix://"])
def test_a_url_that_is_none_is_refused_with_an_example(url):
    with pytest.raises(SettingsError, match=r"^the server's URL from url= .*redis://HOST:6379/0"):
        Executor(url)


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("-c", "0"), 2, "slots"),
        (("--path", "/no/such/folder"), 2, "does not exist"),
        (("-n", "a b"), 78, "cannot be a name"),
    ],
)
def test_a_wrong_option_ends_the_worker_before_it_starts(server, tmp_path, options, code, word):
    daemon = Daemon(server.url, "a", tmp_path / "log", *options)
    assert daemon.wait() == code
    assert word in daemon.text()


@pytest.mark.parametrize("variable", ["FARPOOL_LEASE_SECONDS", "FARPOOL_MAX_RESULT", "RQ_KEY_PREFIX"])
def test_a_wrong_variable_ends_the_worker_before_it_starts(server, tmp_path, variable):
    daemon = Daemon(server.url, "a", tmp_path / "log", "-c", "1", **{variable: "so much!"})
    assert daemon.wait() == 78
    assert variable in daemon.text()


def test_junk_in_queue_records_and_channel_does_not_stop_the_daemon(server, tmp_path):
    queues = ("-c", "1", "spoiled", "default")
    with daemons(server.url, tmp_path, "a", options=queues) as (daemon,), connect(server.url) as client:
        client.rpush("rq:queue:default", "no such task", b"\xff\xfe", "x" * 100_000)
        client.set("rq:queue:spoiled", "no list")
        client.hset("rq:job:odd", mapping={"data": b"\xc1\x00", "farpool_reply": "rq:farpool:reply:me"})
        client.hset("rq:job:pickled", mapping={"data": b"\x80\x04N.", "timeout": "5"})
        client.hset("rq:job:malformed", mapping={"data": b"\x94", "timeout": "long"})
        client.set("rq:job:string", "x")
        client.rpush("rq:queue:default", "odd", "pickled", "malformed", "string")
        for junk in (b"", b"\x00", b"{}", b"[]", b'{"command": "stop-job"}', b"[" * 100_000):
            client.publish("rq:pubsub:a", junk)
        with Executor(server.url) as executor:
            assert executor.submit(tasks.square, 3).result(30) == 9
        wait_for(lambda: client.zcard("rq:failed:default") == 2)
        assert daemon.text().count("WRONGTYPE") < 10, "a spoiled queue is not asked all the time"
        assert set(client.zrange("rq:failed:default", 0, -1)) == {b"pickled", b"malformed"}
        assert client.llen("rq:farpool:quarantine") >= 3
        assert daemon.process.poll() is None


def test_a_spoiled_record_fails_its_future_and_names_the_field(server, tmp_path):
    with Executor(server.url) as executor, connect(server.url) as client:
        future = executor.submit(tasks.square, 3)
        wait_for(lambda: client.keys("rq:job:*"))
        client.hset(client.keys("rq:job:*")[0], "farpool_retries", "many")
        with daemons(server.url, tmp_path, "a"), pytest.raises(MalformedTaskError, match="farpool_retries"):
            future.result(30)
        assert client.llen("rq:farpool:quarantine") == 1


def test_a_spoiled_reply_stream_does_not_hold_up_other_results(server, tmp_path):
    with (
        daemons(server.url, tmp_path, "a", options=("-c", "2")) as (daemon,),
        connect(server.url) as client,
        Executor(server.url) as spoiled,
        Executor(server.url) as other,
    ):
        future = spoiled.submit(tasks.sleeps, 0.5)
        wait_for(lambda: client.keys("rq:job:*"))
        client.set(client.hget(client.keys("rq:job:*")[0], "farpool_reply"), "no stream")
        assert [other.submit(tasks.square, n).result(30) for n in range(20)] == [n * n for n in range(20)]
        error = future.exception(60)  # None where the stream was made anew before the task ended
        assert error is None or isinstance(error, TaskLostError)
        assert spoiled.submit(tasks.square, 5).result(30) == 25
        assert daemon.process.poll() is None


def test_masked_arrays_are_refused_with_advice(executor):
    with pytest.raises(ArgumentError, match="filled"):
        executor.submit(tasks.doubled, np.ma.array([1.0, 2.0], mask=[True, False])).result()


def test_the_log_shows_no_control_characters(server, tmp_path):
    with daemons(server.url, tmp_path, "a") as (daemon,), connect(server.url) as client:
        client.publish("rq:pubsub:a", "\x1b[2J\nforged line")
        wait_for(lambda: "ignored a message" in daemon.text())
        assert "\x1b" not in daemon.text()
        assert "\nforged" not in daemon.text()


def test_the_error_of_a_task_points_at_its_own_code(executor):
    error = executor.submit(tasks.fails, "x").exception()
    assert Path(tasks.__file__).name in str(error.__cause__)
    assert "farpool_common" not in str(error.__cause__)
