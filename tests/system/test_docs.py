"""Every command and program in the README runs."""

import subprocess
import sys
from pathlib import Path

from pages import ROOT, blocks, run_script


def commands() -> list[str]:
    shown = blocks("README.md", "sh")
    return [line.partition("  #")[0].strip() for block in shown for line in block.splitlines() if line.strip()]


def test_the_readme_shows_the_commands_that_are_tested_here():
    assert commands() == [
        "make demo",  # tests/system/test_demo.py
        "pip install farpool",
        "farpool worker -u redis://queue.example.org:6379/0 -P ~/project",
        "FARPOOL_URL=redis://queue.example.org:6379/0 python script.py",
        "farpool run script.py",
        "make test",  # .ci/run
    ]


def test_continuous_integration_runs_exactly_make_test():
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "exec make test"


def test_the_program_runs_on_a_worker_as_the_readme_says(server, tmp_path: Path):
    (program,) = blocks("README.md", "python")
    worker_command, run_command = (line for line in commands() if "queue.example.org" in line)
    url = server.url
    words = worker_command.replace("redis://queue.example.org:6379/0", url).replace("~/project", str(tmp_path))
    worker = subprocess.Popen([sys.executable, "-m", *words.split()], stderr=subprocess.DEVNULL)
    try:
        assert run_command.endswith("python script.py")
        printed = run_script(program, tmp_path, url=url)
        assert len(printed.splitlines()) == 9
        assert "1.3011417504431" in printed
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_the_program_runs_without_any_server_as_the_readme_says(tmp_path: Path):
    (program,) = blocks("README.md", "python")
    assert len(run_script(program, tmp_path, "-m", "farpool", "run").splitlines()) == 9


def test_an_installed_copy_has_all_its_files(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    site = tmp_path / "site"
    assert {path.name for path in site.iterdir() if not path.name.endswith("dist-info")} == {
        "bin",
        "farpool",
        "farpool_common",
        "farpool_worker",
    }
    ours, theirs = ROOT / "common/farpool_common/lua", site / "farpool_common/lua"
    assert {path.relative_to(theirs) for path in theirs.rglob("*")} == {
        path.relative_to(ours) for path in ours.rglob("*")
    }
    assert (site / "farpool/examples/wave_means.py").exists()
    assert (site / "farpool/embedded/guardian.sh").exists()
    assert all((site / package / "py.typed").exists() for package in ("farpool", "farpool_worker", "farpool_common"))
