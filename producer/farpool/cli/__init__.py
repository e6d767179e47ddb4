"""The command line: `farpool COMMAND`."""

from farpool.cli.group import main

__all__ = ["main"]
