"""A server that goes away and comes back."""

import subprocess
import sys
import time

import tasks
from daemons import Daemon, daemons, lines, wait_for
from restartable import restartable

from farpool import Executor
from farpool_common.broker import connect


def test_a_run_completes_though_the_server_was_killed_and_away_for_a_while(tmp_path, journal):
    with restartable(tmp_path) as server, daemons(server.url, tmp_path, "a", "b"), Executor(server.url) as executor:
        futures = [executor.submit(tasks.noted_square, str(journal), n, 0.05) for n in range(100)]
        wait_for(lambda: len(lines(journal)) > 40)
        time.sleep(1.2)  # everysec: what was acknowledged is on its way to the disk
        server.kill()
        more = [executor.submit(tasks.noted_square, str(journal), n, 0.01) for n in range(100, 150)]
        time.sleep(3.0)
        server.start()
        assert [future.result(60) for future in [*futures, *more]] == [n * n for n in range(150)]


def test_a_result_that_was_ready_during_the_outage_is_delivered_and_not_run_again(tmp_path, journal):
    with (
        restartable(tmp_path) as server,
        daemons(server.url, tmp_path, "a") as (daemon,),
        Executor(server.url) as executor,
    ):
        future = executor.submit(tasks.noted_square, str(journal), 6, 0.5)
        wait_for(lambda: lines(journal))
        time.sleep(0.2)
        server.kill()
        wait_for(lambda: "end 6" in lines(journal))
        server.start()
        assert future.result(60) == 36
        assert lines(journal) == ["start 6", "end 6"]
        assert daemon.process.poll() is None


def test_a_daemon_waits_for_a_server_that_starts_later(tmp_path):
    url = f"unix://{tmp_path / 's'}"
    early = Daemon(url, "early", tmp_path / "log", "-c", "1")
    wait_for(lambda: "trying again" in early.text(), early.text)
    try:
        with restartable(tmp_path), Executor(url) as executor:
            assert executor.submit(tasks.square, 5).result(60) == 25
    finally:
        early.close()


def test_a_daemon_that_finds_no_server_says_so_and_exits_with_69(tmp_path):
    daemon = Daemon(f"unix://{tmp_path / 'none'}", "a", tmp_path / "log", "-c", "1", "--connect-seconds", "0.5")
    assert daemon.wait() == 69
    assert daemon.text().count("no answer from") == 2, "when it begins to wait, and when it gives up"
    assert "FARPOOL_URL or --url" in daemon.text().splitlines()[-1], "the next step"
    assert "Traceback" not in daemon.text()


def test_a_producer_that_starts_without_a_server_is_told_at_once(tmp_path):
    script = f"from farpool import Executor; Executor('unix://{tmp_path}/none')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ServerUnreachableError: no answer from" in done.stderr
    assert "FARPOOL_URL or --url" in done.stderr, "the next step"
    assert "site-packages" not in done.stderr, "what the client library went through is not for this reader"


def test_tasks_submitted_while_the_password_is_changed_wait_and_run_when_it_is_changed_back(tmp_path):
    with (
        restartable(tmp_path) as server,
        daemons(server.url, tmp_path, "a"),
        Executor(server.url) as executor,
        connect(server.url) as client,
    ):
        assert executor.submit(tasks.square, 2).result() == 4
        client.config_set("requirepass", "changed")
        for other in client.client_list(_type="normal"):
            if int(other["id"]) != client.client_id():
                client.client_kill_filter(_id=other["id"])
        futures = [executor.submit(tasks.square, n) for n in range(50)]
        time.sleep(0.5)
        assert not any(future.done() for future in futures)
        client.config_set("requirepass", "")
        assert [future.result(30) for future in futures] == [n * n for n in range(50)]
