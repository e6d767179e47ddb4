"""Programs and commands that the project's pages show."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page, by its path below the project's folder, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def run_script(program: str, folder: Path, *before: str, url: str | None = None) -> str:
    """What a program prints as `script.py` in a folder.  `before`: words between `python` and its name.

    `url`: its server; without one it finds none in the environment.
    """
    (folder / "script.py").write_text(program)
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    if url is not None:
        environ["FARPOOL_URL"] = url
    command = [sys.executable, *before, "script.py"]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout
