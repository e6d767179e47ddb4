"""What was measured, kept as one JSON file per system, so that one column or one cell can be measured anew."""

import datetime
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.environments import versions
from bench.faults.rounds import Round
from bench.faults.systems import System

FOLDER = Path(__file__).parent.parent / "results" / "faults"


def keep(system: System, fault: str, rounds: Sequence[Round], folder: Path, **conditions: Any) -> None:
    """Replace one cell."""
    found = load(system.name, folder)
    found[fault] = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "versions": versions(system),
        **conditions,
        "rounds": [asdict(each) for each in rounds],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{system.name}.json").write_text(json.dumps(found, indent=1) + "\n")


def load(name: str, folder: Path) -> dict[str, Any]:
    """Cells of one system by fault."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def rounds_of(cell: dict[str, Any]) -> list[Round]:
    return [Round(**each) for each in cell["rounds"]]
