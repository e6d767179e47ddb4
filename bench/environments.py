"""Each system that others wrote lives in an environment of its own, so that none is a dependency of this project."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".venv-peers"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
TELL_VERSIONS = (
    "import json, sys; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a system is installed with."""

    name: str
    environment: str = ""
    """The folder of its own environment; "" for this project's."""
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Whose versions are told."""

    @property
    def python(self) -> str:
        return str(ENVIRONMENTS / self.environment / "bin" / "python") if self.environment else sys.executable


def install(system: Environment) -> None:
    """Make the environment of one system, or complete it.  A system of this project's own environment has none."""
    if system.environment:
        folder = ENVIRONMENTS / system.environment
        if not is_installed(system):
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([system.python, *PIP, *system.requirements], check=True)
        print(f"{system.name}: {', '.join(system.requirements)} in {folder}")


def is_installed(system: Environment) -> bool:
    return Path(system.python).exists()


def versions(system: Environment) -> dict[str, str]:
    """Python's version and those of the packages that matter, as that environment has them."""
    done = subprocess.run(
        [system.python, "-c", TELL_VERSIONS, *system.packages], check=True, capture_output=True, text=True
    )
    return {"Python": sys.version.split()[0], **json.loads(done.stdout)}
