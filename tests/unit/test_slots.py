"""Usable cores: fixtures of the cgroup layouts that hosts and containers show."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from farpool_common.errors import SettingsError
from farpool_worker.host.slots import Machine, Slots, this_machine, usable_slots

V2 = "30 1 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
HYBRID = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
BIG = Machine(cores=64, affinity=64)


def fake_root(folder: Path, cgroup: str, mountinfo: str, files: Mapping[str, str]) -> Path:
    written = {"/proc/self/cgroup": cgroup, "/proc/self/mountinfo": mountinfo, **files}
    for path, text in written.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def v1_files(folder: str, quota: int) -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


FS = "/sys/fs/cgroup"
LAYOUTS = {
    "no cgroups at all": ("", "", {}, Slots(64, "all 64 cores")),
    "v2 without a quota": (
        "0::/user.slice/job.scope\n",
        V2,
        {f"{FS}/user.slice/job.scope/cpu.max": "max 100000\n", f"{FS}/user.slice/cpu.max": "max 100000\n"},
        Slots(64, "all 64 cores"),
    ),
    "v2, systemd's CPUQuota on the unit": (
        "0::/system.slice/farpool.service\n",
        V2,
        {f"{FS}/system.slice/farpool.service/cpu.max": "400000 100000\n"},
        Slots(4, "CPUQuota=400 % on 64 cores"),
    ),
    "v2, the parent has the quota": (
        "0::/a.slice/b.slice/c.service\n",
        V2,
        {
            f"{FS}/a.slice/cpu.max": "200000 100000\n",
            f"{FS}/a.slice/b.slice/c.service/cpu.max": "max 100000\n",
        },
        Slots(2, "CPUQuota=200 % on 64 cores"),
    ),
    "v2, the smallest on the path holds": (
        "0::/a/b\n",
        V2,
        {f"{FS}/a/cpu.max": "300000 100000\n", f"{FS}/a/b/cpu.max": "1600000 200000\n"},
        Slots(3, "CPUQuota=300 % on 64 cores"),
    ),
    "v2, docker with its own cgroup namespace": (
        "0::/\n",
        "30 1 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        {f"{FS}/cpu.max": "150000 100000\n"},
        Slots(2, "CPUQuota=150 % on 64 cores"),
    ),
    "v2, docker in the host's namespace sees its own folder at the mount point": (
        "0::/docker/0123abcd\n",
        "30 1 0:26 /docker/0123abcd /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        {f"{FS}/cpu.max": "200000 100000\n"},
        Slots(2, "CPUQuota=200 % on 64 cores"),
    ),
    "v2, a namespace made below the mount": (
        "0::/../outside\n",
        "30 1 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
        {f"{FS}/cpu.max": "500000 100000\n"},
        Slots(5, "CPUQuota=500 % on 64 cores"),
    ),
    "v1 without a quota": (
        "4:cpu,cpuacct:/job\n",
        V1,
        v1_files(f"{FS}/cpu,cpuacct/job", -1),
        Slots(64, "all 64 cores"),
    ),
    "v1, nested": (
        "9:name=systemd:/\n4:cpu,cpuacct:/a/b\n3:cpuset:/\n",
        V1,
        v1_files(f"{FS}/cpu,cpuacct/a/b", -1) | v1_files(f"{FS}/cpu,cpuacct/a", 300000),
        Slots(3, "CPUQuota=300 % on 64 cores"),
    ),
    "v1, docker": (
        "4:cpu,cpuacct:/docker/0123abcd\n",
        "32 31 0:29 /docker/0123abcd /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
        v1_files(f"{FS}/cpu,cpuacct", 50000),
        Slots(1, "CPUQuota=50 % on 64 cores"),
    ),
    "hybrid, the quota is version 1's": (
        "4:cpu,cpuacct:/a\n0::/a\n",
        HYBRID,
        v1_files(f"{FS}/cpu,cpuacct/a", 600000) | {f"{FS}/unified/a/cgroup.procs": "1\n"},
        Slots(6, "CPUQuota=600 % on 64 cores"),
    ),
    "a mount point with a blank": (
        "0::/a\n",
        "30 1 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
        {"/my groups/a/cpu.max": "700000 100000"},
        Slots(7, "CPUQuota=700 % on 64 cores"),
    ),
    "nonsense in the files sets no limit": (
        "0::/a\nnonsense\n4:cpu,cpuacct:/a\n",
        HYBRID + "nonsense\n",
        {f"{FS}/unified/a/cpu.max": "lots\n"} | v1_files(f"{FS}/cpu,cpuacct/a", 0),
        Slots(64, "all 64 cores"),
    ),
}


@pytest.mark.parametrize(("cgroup", "mountinfo", "files", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_smallest_quota_in_sight_decides(
    tmp_path: Path, cgroup: str, mountinfo: str, files: dict[str, str], expected: Slots
) -> None:
    assert usable_slots(root=fake_root(tmp_path, cgroup, mountinfo, files), machine=BIG) == expected


def test_the_affinity_counts_where_it_is_smaller_than_the_quota(tmp_path: Path) -> None:
    root = fake_root(tmp_path, "0::/a\n", V2, {f"{FS}/a/cpu.max": "400000 100000"})
    assert usable_slots(root=root, machine=Machine(64, 3)) == Slots(3, "affinity to 3 of 64 cores")
    assert usable_slots(root=root, machine=Machine(4, 4)) == Slots(4, "all 4 cores")


@pytest.mark.parametrize(("quota", "count"), [("1000", 1), ("50000", 1), ("100000", 1), ("110000", 2), ("150000", 2)])
def test_a_part_of_a_cpu_counts_as_a_slot(tmp_path: Path, quota: str, count: int) -> None:
    root = fake_root(tmp_path, "0::/\n", V2, {f"{FS}/cpu.max": f"{quota} 100000"})
    assert usable_slots(root=root, machine=BIG).count == count


def test_an_asked_number_wins_and_the_reason_says_what_would_be_usable(tmp_path: Path) -> None:
    root = fake_root(tmp_path, "0::/a\n", V2, {f"{FS}/a/cpu.max": "400000 100000"})
    slots = usable_slots(8, root=root, machine=BIG)
    assert str(slots) == "slots=8 (as asked; 4 would be usable: CPUQuota=400 % on 64 cores)"


def test_less_than_one_slot_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        usable_slots(0)


def test_the_log_line_reads_as_promised() -> None:
    assert str(Slots(4, "CPUQuota=400 % on 64 cores")) == "slots=4 (CPUQuota=400 % on 64 cores)"


def test_here_the_number_is_within_the_affinity_mask() -> None:
    assert 1 <= usable_slots().count <= this_machine().affinity <= (os.cpu_count() or 1)
