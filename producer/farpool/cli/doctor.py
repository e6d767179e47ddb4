"""`farpool doctor`: is everything as tasks need it?"""

from dataclasses import asdict

import click

from farpool.cli.checks import checks
from farpool.cli.options import json_option, print_json, server_address, server_keys, url_option
from farpool.cli.waiting import advice, look_at_queues, shown
from farpool_common.broker import connect

COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@url_option
@json_option
@click.option("--queues", "shows_queues", is_flag=True, help="Count what waits, by format.")
@click.pass_context
def doctor(ctx: click.Context, url: str | None, as_json: bool, shows_queues: bool) -> None:
    """Check the server, the hosts and this machine; the exit code is 1 when a check fails.

    With --queues: what waits in the queues instead, how it was written (pickle, JSON, msgpack, or by an
    executor of farpool), since when, which functions it calls, and whether a live host would run it.
    """
    if shows_queues:
        _show_queues(url, as_json)
        return
    found = []
    for check in checks(server_address(url), server_keys()):
        found.append(check)
        if not as_json:
            click.echo(f"{click.style(f'{check.verdict:4}', fg=COLORS[check.verdict])}  {check.name}: {check.found}")
    has_failed = any(check.verdict == "fail" for check in found)
    if as_json:
        print_json({"ok": not has_failed, "checks": [asdict(check) for check in found]})
    ctx.exit(1 if has_failed else 0)


def _show_queues(url: str | None, as_json: bool) -> None:
    address = server_address(url)
    with connect(address.url) as client:
        rows = look_at_queues(client, server_keys(), address)
    if as_json:
        print_json({"waiting": [row.as_json() for row in rows], "advice": advice(rows)})
    else:
        click.echo(shown(rows))
