"""The comparison with other systems can be run by anyone, and its page says what was measured."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/comparison.md").read_text()
RESULTS = ROOT / "bench/results/faults"


def run(*words: str) -> str:
    command = [sys.executable, "-m", "bench.faults", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_shows_the_commands_that_are_tested_here():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()] == [
        "python -m bench.faults install",
        "python -m bench.faults --seed 20261125 --table docs/comparison.md",
        "python -m bench.faults --only farpool --faults worker_killed,server_killed --table docs/comparison.md",
    ]


def a_round(folder: Path, seed: int, system: str, fault: str) -> dict[str, Any]:
    """One real round, as it was kept."""
    words = ("--rounds", "1", "--seed", str(seed), "--only", system, "--faults", fault)
    print(run(*words, "--results", str(folder), "--table", str(folder / "page.md")))
    (found,) = json.loads((folder / f"{system}.json").read_text())[fault]["rounds"]
    return found


def test_a_fault_is_done_to_farpool_and_a_table_is_made_of_it(tmp_path, seed):
    found = a_round(tmp_path, seed, "farpool", "worker_killed")
    wanted = {"tasks": 30, "refused": 0, "failed": 0, "missing": 0, "changed": 0, "doubles": 0, "exits": []}
    assert {name: found[name] for name in wanted} == wanted
    assert found["notes"] == {"orphans": 0, "orphans_left": 0}
    assert found["extra"] >= 1, "the task that was running runs again"
    assert "| `worker_killed`: SIGKILL to a worker" in (tmp_path / "page.md").read_text()


def test_what_a_system_loses_is_seen(tmp_path, seed):
    found = a_round(tmp_path, seed, "executor", "child_killed")
    assert found["tasks"] == 30
    assert found["failed"] > 0
    assert "BrokenProcessPool" in found["told"][0]


def test_installing_what_needs_no_environment_of_its_own_does_nothing():
    assert run("install", "farpool", "executor") == ""


def test_the_page_s_table_is_made_of_the_results_that_are_kept_here(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    run("--rounds", "0", "--table", str(page))
    assert page.read_text() == PAGE
    assert {path.stem for path in RESULTS.iterdir()} >= {"farpool", "rq", "rq-two-queues", "celery", "dramatiq"}
