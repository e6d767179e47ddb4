"""The table of docs/rq-contract.md, made from the cases."""

from collections.abc import Iterable, Mapping, Sequence

from cases import Case
from differences import Difference

HEAD = """# RQ's contract, compared

Each line is a feature of RQ 3.0, run once by RQ's own `SimpleWorker` and once by a farpool daemon on a real
server. Everything that the two left in Redis was compared: keys, types, fields, scores, times to live. `equal`
means that nothing differed but ids, moments and the listed differences that hold for every job.
`tests/rq/contract` does this with each change; this page is written by it
(`FARPOOL_WRITE_TABLES=1 pytest tests/rq/contract`).

"""

ALWAYS = ".*"


def table(cases: Sequence[Case], differences: Sequence[Difference], reasons: Mapping[str, set[str]]) -> str:
    """The page."""
    numbers = {known.reason: number for number, known in enumerate(differences, 1)}
    common = {known.reason for known in differences if known.cases == ALWAYS}
    features = list(dict.fromkeys(case.feature for case in cases))
    rows = [
        _row(feature, [case for case in cases if case.feature == feature], reasons, common, numbers)
        for feature in features
    ]
    listed = [f"{number}. {reason}" for reason, number in numbers.items()]
    return HEAD + "\n".join(["| feature | ends compared |", "|---|---|", *rows, "", "Differences:", "", *listed, ""])


def _row(
    feature: str, cases: Iterable[Case], reasons: Mapping[str, set[str]], common: set[str], numbers: Mapping[str, int]
) -> str:
    ends = []
    for case in cases:
        special = sorted(numbers[reason] for reason in reasons[case.name] - common)
        ends.append(f"{case.end}: " + (f"difference {', '.join(map(str, special))}" if special else "equal"))
    return f"| {feature} | {'; '.join(ends)} |"
