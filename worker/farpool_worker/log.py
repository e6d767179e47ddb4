"""The daemon's log: one line per decision, never a control character from outside."""

import logging
import sys

from farpool_common.escape import printable

log = logging.getLogger("farpool.worker")


class _OneLine(logging.Formatter):
    """Formats a record and escapes what could forge a line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), limit=4000)


def start_logging(name: str, *, level: str | int = logging.INFO) -> None:
    """Write the daemon's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(f"%(asctime)s {name} %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
