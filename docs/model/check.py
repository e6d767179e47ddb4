"""Checks the model of the protocol with Spin: every property, in every variant, against what is expected.

`python docs/model/check.py` prints a table and ends with 1 if anything differs; `--readme` writes the table into
README.md as well.  Needs `spin` and `gcc`.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
MODEL, README = FOLDER / "protocol.pml", FOLDER / "README.md"

MOST_MB = 3000
DEEPEST = 2_000_000
AT_ONCE = 2
"""Two checks of the largest variants fit into 6 GB."""

COMPILE = ["gcc", "-O2", "-w", "-DCOLLAPSE", "-DNFAIR=3", f"-DMEMLIM={MOST_MB}", "-o", "pan", "pan.c"]

INVARIANTS = ("safe", "kept", "alone")
REACHED = ("never_ends", "never_cancels", "never_again", "never_gives_up")

TWO = ("FAULTS=1",)
CALM = ("FAULTS=0",)
ONE = ("ONE_TASK", "FAULTS=4", "BEATS=2")
SMALL = ("ONE_TASK", "FAULTS=2")


@dataclass(frozen=True)
class Variant:
    """The model with some switches set; which properties hold, and which do not."""

    name: str
    switches: Sequence[str]
    hold: Sequence[str] = ()
    broken: Sequence[str] = ()
    is_whole: bool = False

    @property
    def properties(self) -> Sequence[str]:
        """All that are checked."""
        return (*self.hold, *self.broken)


VARIANTS = (
    Variant("two tasks, one fault", TWO, INVARIANTS, REACHED, is_whole=True),
    Variant("two tasks, no fault but lapses", CALM, ("live",)),
    Variant("one task, four faults", ONE, (*INVARIANTS, "live"), REACHED),
    Variant("NO_RECONCILE: slower, and right", (*SMALL, "NO_RECONCILE"), (*INVARIANTS, "live")),
    Variant("failover that loses writes", (*SMALL, "ROLLBACK"), ("safe", "kept"), ("alone", "live")),
    Variant("failover, tasks enqueued durably", (*SMALL, "ROLLBACK", "DURABLE"), ("safe", "kept", "live"), ("alone",)),
    Variant("COUNTED_TOKENS", (*SMALL, "COUNTED_TOKENS"), (*INVARIANTS, "live")),
    Variant("COUNTED_TOKENS, failover", (*SMALL, "COUNTED_TOKENS", "ROLLBACK"), (), ("safe",)),
    Variant("PLAIN_ENQUEUE", (*SMALL, "PLAIN_ENQUEUE"), (), ("safe",)),
    Variant("SPLIT_CLAIM", ("FAULTS=1", "SPLIT_CLAIM"), (), ("kept",)),
    Variant("NO_FENCE", (*SMALL, "NO_FENCE"), (), ("safe",)),
    Variant("BEAT_RECREATES", (*SMALL, "BEAT_RECREATES"), (), ("safe",)),
    Variant("BLIND_RECOVERY", (*SMALL, "BLIND_RECOVERY"), (), ("safe",)),
    Variant("NO_SELF_FENCE", (*SMALL, "NO_SELF_FENCE"), ("safe", "kept", "live"), ("alone",)),
    Variant("NO_PUT_BACK", (*SMALL, "NO_PUT_BACK"), ("safe", "kept"), ("live",)),
    Variant("NO_LIMIT", (*SMALL, "NO_LIMIT"), ("safe", "kept"), ("live",)),
    Variant("HUNG_CHILD", (*SMALL, "HUNG_CHILD"), ("safe", "kept"), ("live",)),
)


@dataclass(frozen=True)
class Row:
    """What one check found."""

    variant: str
    name: str
    result: str
    states: int
    seconds: float
    is_expected: bool


@dataclass
class Table:
    """All rows, as Markdown."""

    rows: list[Row] = field(default_factory=list)

    def __str__(self) -> str:
        lines = ["| variant | property | result | states | seconds |", "|---|---|---|---:|---:|"]
        for row in self.rows:
            result = row.result if row.is_expected else f"**{row.result}, not expected**"
            lines.append(f"| {row.variant} | {row.name} | {result} | {row.states:,} | {row.seconds:.1f} |")
        return "\n".join(lines)


def check(variant: Variant) -> list[Row]:
    """Build one variant and check its properties."""
    with tempfile.TemporaryDirectory(prefix="farpool-model") as folder:
        defines = [f"-D{switch}" for switch in variant.switches]
        output(["spin", *defines, "-a", str(MODEL)], folder)
        output(COMPILE, folder)
        return [row for name in variant.properties for row in rows(variant, name, folder)]


def rows(variant: Variant, name: str, folder: str) -> Iterable[Row]:
    """Check one property; of a whole search also that every statement of the model was reached."""
    fair = ["-f"] if name == "live" else []
    text = output(["./pan", "-a", *fair, f"-m{DEEPEST}", "-N", name], folder)
    result = verdict(text)
    states, seconds = int(number(r"([\d.e+]+) states, stored", text)), number(r"elapsed time ([\d.]+)", text)
    is_expected = result == ("holds" if name in variant.hold else "broken")
    yield Row(variant.name, name, result, states, seconds, is_expected)
    if variant.is_whole and name == variant.hold[0]:
        left = unreached(text)
        found = f"unreached: {left}" if left else "holds"
        yield Row(variant.name, "every statement is reached", found, states, seconds, not left)


def verdict(text: str) -> str:
    """What the search says.  One that was cut short says nothing."""
    errors = number(r"errors: (\d+)", text)
    if errors > 0:
        return "broken"
    is_cut = any(word in text for word in ("Search not completed", "max search depth too small", "out of memory"))
    return "undecided" if is_cut or "errors: 0" not in text else "holds"


def unreached(text: str) -> list[str]:
    """Statements of processes that the search never came to, but for ends of endless loops."""
    model = text.partition("unreached in claim")[0]
    return [line.strip() for line in re.findall(r"^\t\S+\.pml:\d+, .*$", model, re.M) if "-end-" not in line]


def number(pattern: str, text: str) -> float:
    """The first number that the pattern finds; -1 where there is none."""
    found = re.search(pattern, text)
    return float(found[1]) if found else -1.0


def output(command: Sequence[str], folder: str) -> str:
    """What a command prints.  `pan` ends with an error when it has found one, so only the text tells."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and command[0] != "./pan":
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def versions() -> str:
    """Of the tools, for whoever compares figures."""
    spin, gcc = output(["spin", "-V"], "."), output(["gcc", "--version"], ".")
    return f"{spin.strip()}; {gcc.splitlines()[0]}; state spaces of at most {MOST_MB:,} MB, {AT_ONCE} at once."


def write_readme(table: Table) -> None:
    """Replace the table in README.md."""
    head = README.read_text().partition("\n## Result\n")[0]
    README.write_text(f"{head}\n## Result\n\n{versions()}\n\n{table}\n")


def main() -> int:
    """Check everything; 1 if anything is not as expected."""
    table = Table()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(check, VARIANTS):
            table.rows += found
    print(versions(), table, sep="\n\n")
    if "--readme" in sys.argv:
        write_readme(table)
    return 0 if all(row.is_expected for row in table.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
