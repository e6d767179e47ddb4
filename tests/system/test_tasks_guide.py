"""The programs of docs/tasks.md run, with the worker that the page starts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import daemons

PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text()
FILES = {name: f"# {name}\n{text}" for name, text in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)}


@pytest.fixture
def folder(server, tmp_path):
    """The page's files, and its worker."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (command,) = re.findall(r"```sh\n(.*?)\n```", PAGE)
    options = command.replace("-P .", f"-P {tmp_path}").removeprefix("farpool worker ").split()
    with daemons(server.url, tmp_path, "host1", options=("-c", "2", *options)):
        yield tmp_path


def program(folder, server, name, **pipes):
    environ = os.environ | {"FARPOOL_URL": server.url, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, name],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **pipes,
    )


def test_the_page_has_the_files_that_are_run_here():
    assert list(FILES) == ["shop.py", "script.py", "other.py"]
    assert PAGE.count("```python") == 3


def test_the_program_prints_what_its_lines_say(folder, server):
    with program(folder, server, "script.py") as running:
        printed, errors = running.communicate(timeout=100)
    assert running.returncode == 0, errors
    assert printed.splitlines() == [
        "8",
        "8",
        "[3, 4]",
        "['sent to ann@example.org', 'sent to bob@example.org']",
        "12",
        "True",
        "3",
        "True monday is closed",
    ]


def test_a_result_is_had_by_the_id_that_is_printed(folder, server):
    with program(folder, server, "other.py", stdin=subprocess.PIPE) as running:
        task_id = running.stdout.readline()
        printed, errors = running.communicate(task_id, timeout=100)
    assert running.returncode == 0, errors
    assert printed == "4\n"
