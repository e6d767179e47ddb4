"""Each peer lives in an environment of its own, so that none of them is a dependency of this project."""

import json
import subprocess
import sys
from pathlib import Path

from bench.faults.systems import ENVIRONMENTS, System

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
TELL_VERSIONS = (
    "import json, sys; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
)


def install(system: System) -> None:
    """Make the environment of one system, or complete it.  A system of this project's own environment has none."""
    if system.environment:
        folder = ENVIRONMENTS / system.environment
        if not Path(system.python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([system.python, *PIP, *system.requirements], check=True)
        print(f"{system.name}: {', '.join(system.requirements)} in {folder}")


def is_installed(system: System) -> bool:
    return Path(system.python).exists()


def versions(system: System) -> dict[str, str]:
    """Python's version and those of the packages that matter, as that environment has them."""
    done = subprocess.run(
        [system.python, "-c", TELL_VERSIONS, *system.packages], check=True, capture_output=True, text=True
    )
    return {"Python": sys.version.split()[0], **json.loads(done.stdout)}
