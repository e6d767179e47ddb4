"""The end of a log file, for the message that says why a process did not start."""

from pathlib import Path

from farpool_common.escape import printable

LINES = 20
BYTES = 8192


def log_tail(path: Path) -> str:
    """The last lines, each indented on a line of its own, or a word that there are none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - BYTES))
            lines = file.read().splitlines()[-LINES:]
    except OSError:
        lines = []
    shown = [f"\n    {printable(line)}" for line in lines if line.strip()]
    return "".join(shown) or " (it wrote nothing)"
