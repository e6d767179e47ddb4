"""What type checkers make of the public interface."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def pyright(name: str) -> dict[int, set[str]]:
    """The rules that each line of a file breaks."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(HERE / name)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    found: dict[int, set[str]] = {}
    for mistake in json.loads(done.stdout)["generalDiagnostics"]:
        found.setdefault(mistake["range"]["start"]["line"] + 1, set()).add(mistake["rule"])
    return found


def expected(name: str) -> dict[int, set[str]]:
    """The rules that comments name."""
    lines = enumerate((HERE / name).read_text().splitlines(), 1)
    return {number: set(line.split("  # ")[1].split(", ")) for number, line in lines if "  # report" in line}


def test_what_users_write_has_its_types_for_pyright():
    assert pyright("usage.py") == {}


def test_what_users_write_has_its_types_for_mypy():
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(HERE / "usage.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("Success"), done.stdout + done.stderr


def test_mistakes_are_found_line_by_line():
    assert len(expected("mistakes.py")) > 20
    assert pyright("mistakes.py") == expected("mistakes.py")
