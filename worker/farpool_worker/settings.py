"""A daemon's settings: read once, at the edge, then passed down and never changed."""

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from farpool_common.address import Address
from farpool_common.border import Border
from farpool_common.broker import Durability
from farpool_common.errors import SettingsError
from farpool_common.shared import FOLDER_VARIABLE, SharedFolder
from farpool_common.sizes import MAX_BYTES, RESULT_BYTES_SETTING, most_bytes
from farpool_worker.buffers.host_objects import default_bytes
from farpool_worker.host.lease_times import LeaseTimes
from farpool_worker.host.oom import OomWatch
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.slate import TEXT_BYTES

STRATEGIES = ("default", "round_robin", "random")
"""RQ's, of which queue comes first: always the first one named; the one after the last that had work; any."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Everything a daemon needs to know."""

    address: Address
    prefix: str
    queues: tuple[str, ...]
    name: str
    slots: int
    slots_reason: str
    roots: tuple[Path, ...]
    allowed: tuple[str, ...] = ()
    allow_any: bool = False
    allow_eviction: bool = False
    is_burst: bool = False
    max_tasks_per_child: int | None = None
    max_idle_seconds: float | None = None
    drain_seconds: float = 30.0
    connect_seconds: float = 30.0
    max_result_bytes: int = MAX_BYTES
    object_bytes: int = MAX_BYTES
    log_bytes: int = TEXT_BYTES
    start_method: str = "forkserver"
    shares_memory: bool = False
    jobs: JobOptions = field(default_factory=JobOptions)
    border: Border = field(default_factory=Border)
    durability: Durability = Durability.MEMORY
    with_scheduler: bool = False
    max_jobs: int | None = None
    strategy: str = "default"
    times: LeaseTimes = field(default_factory=LeaseTimes)
    folder: str = ""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise SettingsError(f"slots must be at least 1, not {self.slots}")
        if not self.queues or not all(self.queues):
            raise SettingsError("name at least one queue")
        for name in (*self.queues, self.name):
            if not name.isprintable() or "," in name or " " in name or len(name) > 200:
                raise SettingsError(f"{name!r} cannot be a name: no spaces, commas or control characters")


def default_name() -> str:
    """Host name and pid; for PID 1 of a container, which keeps both when it is restarted, a random part."""
    last = secrets.token_hex(4) if os.getpid() == 1 else os.getpid()
    return f"{socket.gethostname()}.{last}"


def lease_times(environ: Mapping[str, str]) -> LeaseTimes:
    """The times that tests scale down.  Raises SettingsError."""
    return LeaseTimes(
        seconds(environ, "FARPOOL_LEASE_SECONDS", LeaseTimes.lease),
        seconds(environ, "FARPOOL_GRACE_SECONDS", LeaseTimes.grace),
        seconds(environ, "FARPOOL_SWEEP_SECONDS", LeaseTimes.sweep),
    )


def seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """A positive number of seconds from the environment.  Raises SettingsError."""
    raw = environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise SettingsError(f"{name}={raw!r} is not a positive number of seconds")
    return value


def max_result_bytes(environ: Mapping[str, str]) -> int:
    """The largest result in bytes, from FARPOOL_MAX_RESULT.  Raises SettingsError."""
    return most_bytes(environ, RESULT_BYTES_SETTING)


def object_bytes(environ: Mapping[str, str]) -> int:
    """How much memory stored objects may take here, from FARPOOL_OBJECT_BYTES or by what this process may use.

    Raises SettingsError.
    """
    limit = OomWatch().limit_bytes
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    default = default_bytes(memory if limit is None else min(limit, memory))
    return whole_number(environ, "FARPOOL_OBJECT_BYTES") or default


def shared_folder(environ: Mapping[str, str]) -> str:
    """The name of the folder that an embedded pool shares with its producers; "" where there is none."""
    folder = SharedFolder.opened(environ.get(FOLDER_VARIABLE, ""))
    return "" if folder is None else folder.name


def whole_number(environ: Mapping[str, str], name: str) -> int | None:
    """A number of at least 1 from the environment, None where it is not set.  Raises SettingsError."""
    raw = environ.get(name, "")
    if not raw:
        return None
    if not raw.isdecimal() or int(raw) < 1:
        raise SettingsError(f"{name}={raw!r} is not a whole number of at least 1")
    return int(raw)
