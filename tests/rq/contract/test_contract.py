"""What our daemon leaves in Redis is what RQ's own worker leaves, feature by feature."""

import os
from pathlib import Path

import pytest
from cases import CASES
from differences import DIFFERENCES
from table import table

pytestmark = pytest.mark.xdist_group("contract")

DOCUMENT = Path(__file__).parents[3] / "docs/rq-contract.md"


def excuses(contract, case):
    """The differences that each of the case's differing names falls under."""
    return {
        name: [known for known in DIFFERENCES if known.excuses(case.name, name)] for name in contract.differences(case)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_job_leaves_what_rqs_own_worker_leaves(contract, case):
    unexcused = {name for name, known in excuses(contract, case).items() if not known}
    assert {name: contract.differences(case)[name] for name in unexcused} == {}


def test_every_listed_difference_is_seen(contract):
    seen = {known for case in CASES for found in excuses(contract, case).values() for known in found}
    assert [known.reason for known in DIFFERENCES if known not in seen] == []


def test_the_table_in_the_docs_says_what_was_compared(contract):
    reasons = {
        case.name: {known.reason for found in excuses(contract, case).values() for known in found} for case in CASES
    }
    if os.environ.get("FARPOOL_WRITE_TABLES"):
        DOCUMENT.write_text(table(CASES, DIFFERENCES, reasons))
    assert DOCUMENT.read_text() == table(CASES, DIFFERENCES, reasons)


def test_every_case_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES)
