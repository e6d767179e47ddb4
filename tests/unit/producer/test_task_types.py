"""A type checker sees a task's own signature wherever a call of it is made."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
from farpool import task

@task(retries=3)
def add(a: int, b: int = 0) -> str: ...

reveal_type(add(1))
reveal_type(add.submit(1, b=2))
reveal_type(add.enqueue(1))
reveal_type(add.enqueue_in(5, 1))
reveal_type(add.options(queue="other").submit(1))
reveal_type(add.map([1, 2]))
add("wrong")
add.submit("wrong")
add.enqueue(1, c="wrong")
add.enqueue_in(5, "wrong")
add.options(nonsense="wrong")
"""


def test_pyright_knows_calls_submits_and_jobs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    types = re.findall(r'Type of ".*" is "(.*)"', done.stdout)
    assert types == ["str", "Future[str]", "Job", "Job", "Future[str]", "Iterator[str]"], done.stdout
    wrong = [number for number, line in enumerate(PROGRAM.splitlines(), 1) if "wrong" in line]
    assert sorted({int(line) for line in re.findall(r":(\d+):\d+ - error", done.stdout)}) == wrong
