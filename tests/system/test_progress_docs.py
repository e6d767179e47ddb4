"""Every program of docs/progress.md runs, and prints what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import daemons

PAGE = Path(__file__).parents[2] / "docs/progress.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def printed(server, tmp_path):
    """Runs a program beside a daemon that knows its folder; what it prints, and what it writes to stderr."""

    def run(program):
        (tmp_path / "script.py").write_text(program)
        environ = os.environ | {"FARPOOL_URL": server.url}
        command = [sys.executable, "script.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    with daemons(server.url, tmp_path, "host1", options=("-c", "2", "-P", str(tmp_path))):
        yield run


def test_the_program_with_progress(printed):
    out, _ = printed(PROGRAMS[0])
    assert f"The last line is `{out[-1]}`." in PAGE.read_text()
    assert out[-1] == "0.122 TaskProgress(done=20, total=20, label='epochs')"
    assert all(line.startswith("epochs ") for line in out[:-1])


def test_the_program_with_bars(printed):
    assert printed(PROGRAMS[1]) == (["332833500", "328350"], "")


def test_the_program_with_tqdm(printed):
    out, err = printed(PROGRAMS[2])
    assert out == ["328350", "328350"]
    assert err.count("100/100") == 2


def test_no_program_was_left_out():
    assert len(PROGRAMS) == 3
