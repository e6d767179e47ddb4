"""How many tasks this host may run at once: the cores this process may really use, and why that many.

`os.cpu_count()` is the machine's number; a container or a systemd unit may own a tenth of it.  Three
things lower it: the affinity mask (cpusets show there too), a quota of cgroup v2 and a quota of cgroup
v1, each anywhere on the path from this process up to the root that it can see.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from farpool_common.errors import SettingsError

ROOT = Path("/")


@dataclass(frozen=True)
class Slots:
    """A number of slots with the reason for the log."""

    count: int
    reason: str

    def __str__(self) -> str:
        return f"slots={self.count} ({self.reason})"


@dataclass(frozen=True)
class Machine:
    """What the operating system says of cores: in the machine, and in this process's affinity mask."""

    cores: int
    affinity: int


def this_machine() -> Machine:
    """The machine we run on."""
    cores = os.cpu_count() or 1
    # macOS has no affinity.
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return Machine(cores, affinity)


def usable_slots(asked: int | None = None, *, root: Path = ROOT, machine: Machine | None = None) -> Slots:
    """One slot for each usable core, or the number asked for (it may be larger).

    `root` is where /proc and the cgroup files are read, for tests.
    """
    usable = _usable_cores(root, machine or this_machine())
    if asked is None:
        return usable
    if asked < 1:
        raise SettingsError(f"a host needs at least 1 slot, not {asked}")
    return Slots(asked, f"as asked; {usable.count} would be usable: {usable.reason}")


def _usable_cores(root: Path, machine: Machine) -> Slots:
    quota = min(_quotas(root), default=math.inf)
    # Rounded up: 1.5 CPUs keep two slots busy for three quarters of the time; with one slot a third of the
    # quota would stay unused.  The pauses in between are shorter than a period of 0.1 s: no lease notices.
    by_quota = machine.affinity if math.isinf(quota) else math.ceil(quota - 1e-9)
    count = max(1, min(machine.affinity, by_quota))
    if by_quota < machine.affinity:
        return Slots(count, f"CPUQuota={quota * 100:.4g} % on {machine.cores} cores")
    if machine.affinity < machine.cores:
        return Slots(count, f"affinity to {machine.affinity} of {machine.cores} cores")
    return Slots(count, "1 core" if count == 1 else f"all {count} cores")


def _quotas(root: Path) -> Iterator[float]:
    """Every quota on this process, in CPUs."""
    paths = _cgroup_paths(root)
    for mount in _mounts(root):
        path = paths.get(mount.controller)
        if path is None:
            continue
        for folder in mount.folders(path):
            quota = _quota_v2(root, folder) if mount.controller == "" else _quota_v1(root, folder)
            if quota is not None:
                yield quota


def _cgroup_paths(root: Path) -> dict[str, PurePosixPath]:
    """This process's cgroup: under "" for version 2, under "cpu" for version 1."""
    paths = {}
    for line in _read(root, "/proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            paths[""] = PurePosixPath(path)
        elif "cpu" in controllers.split(","):
            paths["cpu"] = PurePosixPath(path)
    return paths


@dataclass(frozen=True)
class _Mount:
    """Where a cgroup tree is mounted, and which folder of the tree is to be seen there."""

    controller: str
    top: PurePosixPath
    point: PurePosixPath

    def folders(self, path: PurePosixPath) -> Iterator[PurePosixPath]:
        """Folders from the process's own up to the mount point."""
        # A container may see its own folder as the mount point while /proc names it by a path from outside.
        inside = path.relative_to(self.top).parts if path.is_relative_to(self.top) else ()
        own = self.point.joinpath(*(part for part in inside if part != ".."))
        yield own
        for folder in own.parents:
            if folder.is_relative_to(self.point):
                yield folder


def _mounts(root: Path) -> Iterator[_Mount]:
    """Mounted cgroup trees that can hold a CPU quota (proc_pid_mountinfo(5) gives the fields)."""
    for line in _read(root, "/proc/self/mountinfo").splitlines():
        mounted, _, source = line.partition(" - ")
        fields, kind = mounted.split(), source.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        top, point = PurePosixPath(_unescaped(fields[3])), PurePosixPath(_unescaped(fields[4]))
        if kind[0] == "cgroup2":
            yield _Mount("", top, point)
        elif kind[0] == "cgroup" and "cpu" in kind[2].split(","):
            yield _Mount("cpu", top, point)


def _quota_v2(root: Path, folder: PurePosixPath) -> float | None:
    """cpu.max is `max 100000` or `QUOTA PERIOD` in microseconds."""
    words = _read(root, folder / "cpu.max").split()
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _quota_v1(root: Path, folder: PurePosixPath) -> float | None:
    """cpu.cfs_quota_us is -1 without a limit."""
    return _ratio(_read(root, folder / "cpu.cfs_quota_us"), _read(root, folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    quota, period = quota.strip(), period.strip()
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def _read(root: Path, path: str | PurePosixPath) -> str:
    """A file below the root; empty when there is none or we may not read it (then it sets no limit)."""
    try:
        return root.joinpath(str(path).lstrip("/")).read_text(errors="replace")
    except OSError:
        return ""


def _unescaped(text: str) -> str:
    r"""Blanks in mountinfo are written `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
