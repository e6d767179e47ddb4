"""`farpool demo`: the main job on this machine, as if it were two."""

from pathlib import Path

import click

import farpool
from farpool.cli.run import run_on
from farpool_common.errors import FarpoolError
from farpool_worker.host.slots import usable_slots

SCRIPT = "wave_means.py"


@click.command()
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Start a server and two workers, map a NumPy function over them, and check every value."""
    cores = usable_slots().count
    first = max(1, cores - cores // 2)
    hosts = [("north", first), ("south", max(1, cores - first))]
    click.echo("A private server and two workers: " + ", ".join(f"{name} with {n} slots" for name, n in hosts))
    ctx.exit(run_on([(name, slots) for name, slots in hosts], _script(), ()))


def _script() -> Path:
    package = Path(farpool.__file__).resolve().parent
    installed, checked_out = package / "examples" / SCRIPT, package.parents[1] / "examples" / SCRIPT
    for script in (installed, checked_out):
        if script.exists():
            return script
    raise FarpoolError(f"{SCRIPT} is missing from this installation: pip install --force-reinstall farpool")
