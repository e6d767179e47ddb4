"""Whether the kernel killed something for want of memory in this process's control group."""

from pathlib import Path

_V2 = ("memory.events", "memory.max")
_V1 = ("memory.oom_control", "memory.limit_in_bytes")


class OomWatch:
    """Notices when the group's count of killed processes grows."""

    def __init__(self, proc: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> None:
        self._events, self._limit = _files(proc, mount)
        self._seen = self._count()

    def explain(self) -> str | None:
        """The reason for a death just now, `memory limit 16 GiB reached`, or None when there is another."""
        count, before = self._count(), self._seen
        self._seen = count
        if count <= before:
            return None
        limit = _number(self._limit)
        return f"memory limit {limit / 2**30:.3g} GiB reached" if limit else "out of memory"

    @property
    def limit_bytes(self) -> int | None:
        """The group's limit of memory; None when it has none."""
        return _number(self._limit)

    def _count(self) -> int:
        try:
            lines = self._events.read_text().splitlines() if self._events else []
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _files(proc: Path, mount: Path) -> tuple[Path | None, Path | None]:
    """The group's files: version 2 first, then 1; in a container the path from outside does not exist."""
    try:
        groups = [line.split(":", 2) for line in proc.read_text().splitlines()]
    except OSError:
        return None, None
    for _, controllers, path in groups:
        if controllers and "memory" not in controllers.split(","):
            continue
        names, base = (_V1, mount / "memory") if controllers else (_V2, mount)
        for folder in (base / path.lstrip("/"), base):
            if (folder / names[0]).exists():
                return folder / names[0], folder / names[1]
    return None, None


def _number(file: Path | None) -> int | None:
    try:
        text = file.read_text().strip() if file else ""
    except OSError:
        return None
    return int(text) if text.isdigit() else None
