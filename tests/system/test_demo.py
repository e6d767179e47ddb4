"""`make demo`: the main job, end to end, and nothing left."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from daemons import wait_for

ROOT = Path(__file__).parent.parent.parent

VALUES = [
    1.301141750443172,
    1.3011564435259444,
    1.3012120086330983,
    1.3011731511648024,
    1.301167141282091,
    1.301180566862531,
    1.3012034013376712,
    1.3011600525150862,
]


def without_server() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.endswith("_URL")}


def test_make_demo_shows_the_values_on_two_hosts_and_compares_them():
    command = ["make", "-C", str(ROOT), "demo", f"VENV={sys.prefix}"]
    done = subprocess.run(command, capture_output=True, text=True, env=without_server(), timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    mapped = [float(text) for text in re.findall(r"seed \d: np\.float64\(([\d.]+)\)", done.stdout)]
    assert [round(value, 11) for value in mapped] == [round(value, 11) for value in VALUES]
    assert set(re.findall(r"host (\w+), process \d+", done.stdout)) == {"north", "south"}
    assert len(re.findall(r"seed \d: [\d.]+ +host", done.stdout)) == 8
    assert "All values are the same." in done.stdout
    assert re.search(r"farpool +│ +\d+ │ +8 │", done.stdout)


def test_ctrl_c_ends_the_demo_and_leaves_nothing(tmp_path):
    with (tmp_path / "out").open("w+") as out:
        command = [sys.executable, "-m", "farpool", "demo"]
        demo = subprocess.Popen(command, stdout=out, stderr=out, env=without_server(), start_new_session=True)
        wait_for(lambda: "seed 0" in (tmp_path / "out").read_text(), (tmp_path / "out").read_text)
        time.sleep(0.2)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        assert demo.wait(30) != 0
