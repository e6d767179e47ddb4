"""One round of a fault, by name and seed, in whatever process it runs."""

import contextlib
import io
import time

from faults import FAULTS
from oracle import Verdict


def run(name: str, seed: int) -> tuple[Verdict, str]:
    """The verdict, and what is said of it: everything, where a promise was broken."""
    began, fault, said = time.monotonic(), FAULTS[name], io.StringIO()
    with contextlib.redirect_stdout(said):
        verdict = _judged(name, seed)
    counts = f"lost {verdict.lost}, double {verdict.double}, extra {verdict.extra}, stale {verdict.stale}"
    line = f"  {name}, seed {seed}, {time.monotonic() - began:.1f} s: {counts}\n"
    return verdict, line if fault.is_survived(verdict) else said.getvalue() + line


def _judged(name: str, seed: int) -> Verdict:
    fault = FAULTS[name]
    with fault.new_world(name, seed) as world:
        try:
            fault.harm(world)
            verdict = world.settle()
        except Exception as error:
            verdict = world.verdict
            verdict.notes.append(f"the round broke off: {error!r}")
        if not fault.is_survived(verdict):
            print(verdict, world.logs(), sep="\n")
    return verdict
