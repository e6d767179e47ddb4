"""`farpool key --new`: a key that producers and workers share."""

import secrets

import click

from farpool_common.signing import KEY

_BYTES = 32


@click.command()
@click.option("--new", is_flag=True, required=True, help="Print a new key, as a line for the environment.")
def key(new: bool) -> None:
    """Make the key with which functions travel by value, for producers and workers alike."""
    click.echo(f"{KEY}={secrets.token_urlsafe(_BYTES)}")
