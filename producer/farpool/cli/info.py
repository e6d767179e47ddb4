"""`farpool info`: one look at queues and hosts."""

import click

from farpool.cli.options import json_option, print_json, server_address, server_keys, url_option
from farpool.cli.overview import Overview, look
from farpool.cli.table import table
from farpool_common.address import Address
from farpool_common.broker import connect

UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@click.command()
@url_option
@json_option
def info(url: str | None, as_json: bool) -> None:
    """Show queues, hosts and what runs."""
    address, keys = server_address(url), server_keys()
    client = connect(address.url)
    try:
        found = look(client, keys, address)
    finally:
        client.close()
    if as_json:
        print_json({"server": address.masked, **found.as_json()})
    else:
        click.echo(_as_text(found, address))


def _as_text(found: Overview, address: Address) -> str:
    return "\n\n".join([f"{address.masked} (from {address.source})", _queues(found), _hosts(found)])


def _queues(found: Overview) -> str:
    if not found.queues:
        return "No queues yet: nothing was enqueued."
    rows = [(queue.name, queue.waiting, queue.running, queue.failed) for queue in found.queues]
    return table(("queue", "waiting", "running", "failed"), rows)


def _hosts(found: Overview) -> str:
    if not found.hosts:
        return "No hosts. Start one with: farpool worker -u URL"
    rows = [
        (host.name, host.slots, host.busy, ",".join(host.queues), _duration(found.age_seconds(host)), host.reason)
        for host in found.hosts
    ]
    return table(("host", "slots", "busy", "queues", "up", "slots because of"), rows)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return next((f"{seconds / size:.1f} {unit}" for size, unit in UNITS if seconds >= size), f"{seconds:.0f} s")
