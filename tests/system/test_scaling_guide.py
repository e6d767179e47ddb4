"""The commands and programs of docs/scaling.md run, on two servers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import redis
from daemons import wait_for
from pages import blocks, run_script

from farpool.embedded import Server

GUIDE = "docs/scaling.md"
ONE, TWO = "redis://one.example.org:6379/0", "redis://two.example.org:6379/0"


@contextmanager
def workers(commands: str, addresses: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """What the guide's commands start, all at once."""
    started = []
    with ExitStack() as undo:
        for line in commands.strip().splitlines():
            words = replaced(line.partition("  #")[0], addresses).split()
            process = subprocess.Popen([sys.executable, "-m", *words, "-c", "1"], stderr=subprocess.DEVNULL)
            undo.callback(process.wait, 60)
            undo.callback(process.terminate)
            started.append(process)
        yield started


def replaced(text: str, by: dict[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text


def leases_given(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.hget("rq:farpool:counters", "claimed") or 0)


def test_two_primaries_by_queue_and_in_turn_as_the_guide_says(server, tmp_path):
    by_queue, in_turn = blocks(GUIDE, "python")
    commands, serving_both = blocks(GUIDE, "sh")
    with Server() as second:
        addresses = {ONE: server.url, TWO: second.url, "~/project": str(tmp_path)}
        with workers(commands, addresses):
            assert run_script(replaced(by_queue, addresses), tmp_path).split() == ["3", "[0,", "1,", "4,", "9]"]
            assert all(leases_given(url) for url in (server.url, second.url))
        before = leases_given(server.url), leases_given(second.url)
        with workers(serving_both, addresses):
            assert run_script(replaced(in_turn, addresses), tmp_path).split() == ["332833500"]
        assert leases_given(server.url) > before[0]
        assert leases_given(second.url) > before[1]
        for url in (server.url, second.url):
            with redis.Redis.from_url(url) as client:
                wait_for(lambda client=client: not client.exists("rq:farpool:hosts"))
