"""Whether a death was for want of memory is read from the control group."""

import pytest
from pool_driver import Driver, chunk, crashes

from farpool_worker.host.oom import OomWatch


def _group(tmp_path, line, folder, events, kills, limit_file, limit):
    proc = tmp_path / "cgroup"
    proc.write_text(line)
    group = tmp_path / "fs" / folder
    group.mkdir(parents=True)
    (group / events).write_text(f"low 0\noom 7\noom_kill {kills}\n")
    (group / limit_file).write_text(limit)
    return group / events, (proc, tmp_path / "fs")


@pytest.mark.parametrize(
    ("line", "folder", "events", "limit_file"),
    [
        ("0::/a/b\n", "a/b", "memory.events", "memory.max"),
        ("0::/outside/of/the/container\n", "", "memory.events", "memory.max"),
        ("4:memory:/a\n0::/\n", "memory/a", "memory.oom_control", "memory.limit_in_bytes"),
        ("5:cpu,memory:/a\n", "memory", "memory.oom_control", "memory.limit_in_bytes"),
    ],
)
def test_a_kill_for_memory_is_noticed_once(tmp_path, line, folder, events, limit_file):
    file, places = _group(tmp_path, line, folder, events, 3, limit_file, str(16 * 2**30))
    watch = OomWatch(*places)
    assert watch.explain() is None
    file.write_text("oom_kill 4\n")
    assert watch.explain() == "memory limit 16 GiB reached"
    assert watch.explain() is None


@pytest.mark.parametrize("limit", ["max", "", "-1"])
def test_a_group_without_a_limit_says_so(tmp_path, limit):
    file, places = _group(tmp_path, "0::/\n", "", "memory.events", 0, "memory.max", limit)
    watch = OomWatch(*places)
    file.write_text("oom_kill 1\n")
    assert watch.explain() == "out of memory"


def test_without_control_groups_nothing_is_said(tmp_path):
    assert OomWatch(tmp_path / "none", tmp_path).explain() is None


def test_the_reason_of_a_crash_names_the_limit(driver, monkeypatch):
    monkeypatch.setattr(driver.pool._oom, "explain", lambda: "memory limit 16 GiB reached")
    (crash,) = crashes(driver.run(chunk("pool_tasks:killed_at", (0, 0))))
    assert crash.reason == "was killed by signal 9 (memory limit 16 GiB reached)"
    (crash,) = crashes(driver.run(chunk("pool_tasks:leave", (1,))))
    assert crash.reason == "exited with code 1"


def test_a_kill_at_the_time_limit_is_no_matter_of_memory(monkeypatch):
    with Driver(1, grace_seconds=0.1) as driver:
        monkeypatch.setattr(driver.pool._oom, "explain", lambda: "memory limit 16 GiB reached")
        (crash,) = crashes(driver.run(chunk("pool_tasks:stop_itself", (), limit=0.1)))
        assert crash.reason.startswith("stopped after")
