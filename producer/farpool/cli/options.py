"""Options that several commands share, spelled once."""

import json
import os
from typing import Any

import click

from farpool_common.address import Address, find_address, prefix_from
from farpool_common.keys import Keys

url_option = click.option(
    "-u",
    "--url",
    metavar="URL",
    help="The server.  [default: FARPOOL_URL, RQ_REDIS_URL, REDIS_URL, localhost]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
path_option = click.option(
    "-P",
    "--path",
    "paths",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Folder with code that may run, besides the current one.",
)
slots_option = click.option(
    "-c", "--slots", type=click.IntRange(1), help="Processes.  [default: the cores this process may use]"
)


def server_address(url: str | None) -> Address:
    """The server that a command talks to.  Raises SettingsError."""
    return find_address(url, os.environ)


def server_keys() -> Keys:
    """The keys below the prefix in force.  Raises SettingsError."""
    return Keys(prefix_from(os.environ))


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2))
