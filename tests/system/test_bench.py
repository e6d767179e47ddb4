"""Benchmarks measure what they say, refuse wrong results, and their page says what was measured."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/performance.md").read_text()
KEPT = ROOT / "bench/results/performance"
LOSER = """
from bench.peers.contender import run
from bench.peers.orders import Order
from bench.peers.systems import Peer
peer = Peer(name="loser", title="Loser", settings="", speed=1, uses_server=False, module="tests.support.wrong_peer")
run(peer, Order("w1", 10, 10))
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=110)


def test_the_page_s_tables_are_made_of_the_results_that_are_kept_here(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert run("-m", "bench.table", str(page)).returncode == 0
    assert page.read_text() == PAGE
    kept = [json.loads(file.read_text())["title"] for file in KEPT.glob("*.json")]
    assert [title for title in kept if f"### {title}" not in PAGE] == []


def test_the_page_shows_commands_that_there_are():
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line.partition("  #")[0].strip() for line in block.splitlines()]
    assert commands == [
        "make bench",
        "python -m bench w1 --rounds 3",
        "python -m bench.peers install huey loky",
        "python -m bench w1 w2 --peers huey,loky",
        "python -m bench w1 --appendonly",
        "python -m bench.table",
        "make bench-check",
    ]
    assert {"bench:", "bench-check:"} <= {
        line.split()[0] for line in (ROOT / "Makefile").read_text().splitlines() if line
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one real run of W2 has kept."""
    found = tmp_path_factory.mktemp("results")
    done = run("-m", "bench", "w2", "--rounds", "1", "--appendonly", "--results", str(found))
    assert done.returncode == 0, done.stderr
    assert "farpool" in done.stdout
    return found


def test_a_run_tells_the_cpu_of_each_role_and_the_server_s_traffic(folder):
    record = json.loads((folder / "w2-appendonly.json").read_text())
    (ours,), (pool,) = record["runs"]["farpool"], record["runs"][record["baseline"]]
    assert {role for role, seconds in ours["cpu"].items() if seconds > 0} >= {"client", "server", "daemon", "child"}
    assert pool["cpu"]["client"] > 0
    assert ours["traffic"]["commands"] >= ours["traffic"]["round trips"] > record["amount"]
    assert pool["traffic"] == {}
    assert all(run["figures"]["p50 ms"] <= run["figures"]["p99 ms"] for run in (ours, pool))
    assert {"farpool", "redis"} <= set(record["versions"])
    assert record["appendonly"] is True


def test_a_page_is_made_of_a_run(folder, tmp_path):
    page = tmp_path / "page.md"
    assert run("-m", "bench.table", str(page), "--results", str(folder)).returncode == 0
    text = page.read_text()
    assert "### W2 one task at a time, append-only file" in text
    assert re.search(r"\| farpool \| [\d,]+ \(.*client \d", text)


def test_a_contender_whose_results_are_wrong_ends_the_benchmark():
    done = run("-c", LOSER)
    assert done.returncode != 0
    assert "loser did not answer" in done.stderr
    assert "AssertionError" in done.stderr


def test_a_peer_that_is_unknown_is_named():
    done = run("-m", "bench", "w2", "--peers", "nobody")
    assert done.returncode != 0
    assert "there is no peer nobody; there are huey, " in done.stderr


@pytest.mark.parametrize(("budget", "code"), [(0.1, 1), (1e9, 0)])
def test_the_guard_fails_when_a_task_costs_more_than_its_budget(tmp_path, budget, code):
    budgets = tmp_path / "budgets.json"
    budgets.write_text(json.dumps({"CPU µs per task": {"w1 submit": budget}}))
    done = run("-m", "bench.check", "--only", "w1", "--budgets", str(budgets))
    assert done.returncode == code, done.stderr
    assert "w1 submit" in done.stdout
    assert ("over budget: w1 submit" in done.stdout) == bool(code)
