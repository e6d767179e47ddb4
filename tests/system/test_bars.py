"""Progress bars over real maps: on a terminal, in a pipe, and tqdm's own around ours."""

import io
import os
import pty
import subprocess
import sys
from concurrent.futures import as_completed

import pytest
import tasks
from tqdm import tqdm

import farpool

PROGRAM = """
import sys
from farpool import Executor
import tasks
with Executor({url!r}) as executor:
    print(sum(executor.map(tasks.square, range(300), progress="squares")))
    print(sum(executor.map_unordered(tasks.square, range(300), chunksize="auto", progress=True)))
    try:
        list(executor.map(tasks.square, [1, "two", 3], progress="fails"))
    except TypeError:
        print("TypeError")
    results = executor.map(tasks.square, range(300), progress="closed")
    next(results)
    results.close()
"""
PRINTED = ["8955050", "8955050", "TypeError"]


@pytest.fixture
def command(host):
    return [sys.executable, "-c", PROGRAM.format(url=host.url)], os.environ | {
        "PYTHONPATH": os.path.dirname(tasks.__file__),
        "TERM": "xterm",
        "COLUMNS": "100",
    }


def test_on_a_terminal_bars_are_drawn_and_results_stay_clean(command):
    words, environ = command
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=theirs, text=True) as running:
        os.close(theirs)
        screen = b""
        try:
            while piece := os.read(ours, 65536):
                screen += piece
        except OSError:  # the other end is closed: so Linux says it
            pass
        out, _ = running.communicate(timeout=60)
    os.close(ours)
    assert out.splitlines() == PRINTED
    text = screen.decode()
    for shown in ("squares", "300/300", "fails", "/3", "closed"):
        assert shown in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 4  # the cursor is back


def test_in_a_pipe_nothing_is_drawn(command):
    words, environ = command
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == PRINTED
    assert done.stderr == ""


def test_tqdm_around_a_map(executor):
    screen = io.StringIO()
    results = list(tqdm(executor.map(tasks.square, range(50)), total=50, file=screen))
    assert results == [n * n for n in range(50)]
    assert "50/50" in screen.getvalue()
    screen = io.StringIO()
    assert sum(tqdm(executor.map(tasks.square, range(1000), chunksize="auto"), total=1000, file=screen)) == 332833500
    assert "1000/1000" in screen.getvalue()


@pytest.mark.parametrize("completed", [as_completed, farpool.as_completed])
def test_tqdm_around_completed_futures(executor, completed):
    futures = [executor.submit(tasks.square, n) for n in range(50)]
    screen = io.StringIO()
    found = [future.result() for future in tqdm(completed(futures), total=len(futures), file=screen)]
    assert sorted(found) == [n * n for n in range(50)]
    assert "50/50" in screen.getvalue()
