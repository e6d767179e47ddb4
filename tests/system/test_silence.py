"""A daemon that is stopped or cut off ends what it runs before others take it over."""

import itertools
import signal
from pathlib import Path

import psutil
import tasks
from daemons import FAST, daemons, lines, wait_for

from farpool import Executor
from farpool_common.broker import connect

LEASE = float(FAST["FARPOOL_LEASE_SECONDS"])


def overlaps(journal: Path) -> int:
    """How often two processes ran one task at the same moment, by the stamps that they wrote."""
    runs: dict[tuple[str, str], list[float]] = {}
    for line in lines(journal):
        number, pid, at = line.split()
        runs.setdefault((number, pid), []).append(float(at))
    spans = sorted((number, min(at), max(at)) for (number, _), at in runs.items())
    return sum(a[0] == b[0] and b[1] < a[2] for a, b in itertools.pairwise(spans))


def test_a_stopped_daemon_s_children_are_dead_before_others_run_their_tasks(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a", "b") as (first, second), Executor(server.url) as executor:
        wait_for(lambda: first.children() and second.children())
        futures = [executor.submit(tasks.stamps, str(journal), n, 3.0) for n in range(2)]
        wait_for(lambda: len({line.split()[0] for line in lines(journal)}) == 2)
        children = first.children()
        first.process.send_signal(signal.SIGSTOP)
        _, alive = psutil.wait_procs(children, 4 * LEASE)
        assert not alive, "they ended while their daemon could do nothing"
        assert [future.result(30) for future in futures] == [0, 1]
        first.process.send_signal(signal.SIGCONT)
        assert executor.submit(tasks.square, 4).result(30) == 16
        wait_for(lambda: "no heartbeat was accepted" in first.text())
    assert overlaps(journal) == 0


def test_a_daemon_without_its_server_kills_what_runs_and_runs_it_again_uncharged(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        future = executor.submit(tasks.stamps, str(journal), 7, 2.5)
        wait_for(lambda: lines(journal))
        (child,) = daemon.children()
        server_process = psutil.Process(server_pid(server))
        server_process.suspend()
        try:
            child.wait(4 * LEASE)
        finally:
            server_process.resume()
        assert future.result(60) == 7
        assert executor.submit(tasks.square, 4).result(30) == 16
        with connect(server.url) as client:
            assert int(client.hget("rq:farpool:counters", "abandoned") or 0) <= 1
        assert "killed by signal" not in daemon.text()


def server_pid(server) -> int:
    with connect(server.url) as client:
        return client.info("server")["process_id"]
