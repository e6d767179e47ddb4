"""The command group: each command's module is imported when the command runs, and errors become one line.

`farpool --help` shows the texts from the table below, so it needs neither Redis' client nor NumPy and
stays under 150 ms.
"""

import importlib
from typing import Any, cast

import click

from farpool_common.errors import FarpoolError, told
from farpool_common.exit_codes import exit_code

COMMANDS = {
    "worker": ("farpool_worker.cli:worker", "Serve queues on this host."),
    "up": ("farpool.cli.up:up", "Start a server and a worker on this machine."),
    "demo": ("farpool.cli.demo:demo", "Run the main job on this machine, as if it were two."),
    "run": ("farpool.cli.run:run", "Run a script with a pool of this machine's cores around it."),
    "info": ("farpool.cli.info:info", "Show queues, hosts and what runs."),
    "logs": ("farpool.cli.logs:logs", "Show what a task has written, and how far it has come."),
    "enqueue": ("farpool.cli.enqueue:enqueue", "Put a call of a function on a queue."),
    "key": ("farpool.cli.key:key", "Make a key with which functions travel by value."),
    "doctor": ("farpool.cli.doctor:doctor", "Check the server, the hosts and this machine."),
}
"""Name: where the command is, and its line in `farpool --help`."""


class Commands(click.Group):
    """A group that knows its commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The order of the table, which is the order in which users meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours is one line and an exit code, never a traceback."""
        try:
            return super().invoke(ctx)
        except FarpoolError as error:
            click.echo(f"farpool: {told(error)}", err=True)
            ctx.exit(exit_code(error))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="farpool")
def main() -> None:
    """multiprocessing and concurrent.futures across hosts, on the Redis you already have."""
