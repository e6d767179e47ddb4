"""`farpool doctor`: is everything as tasks need it?"""

from dataclasses import asdict

import click

from farpool.cli.checks import checks
from farpool.cli.options import json_option, print_json, server_address, server_keys, url_option

COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@url_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, url: str | None, as_json: bool) -> None:
    """Check the server, the hosts and this machine; the exit code is 1 when a check fails."""
    found = []
    for check in checks(server_address(url), server_keys()):
        found.append(check)
        if not as_json:
            click.echo(f"{click.style(f'{check.verdict:4}', fg=COLORS[check.verdict])}  {check.name}: {check.found}")
    has_failed = any(check.verdict == "fail" for check in found)
    if as_json:
        print_json({"ok": not has_failed, "checks": [asdict(check) for check in found]})
    ctx.exit(1 if has_failed else 0)
