"""Which jobs of RQ producers the scripts end, and which are left to RQ's own code."""

import pytest

from farpool_common.border import PLAIN, Border, Plain, is_verified

ORDINARY = {
    b"success_callback_name": b"", b"failure_callback_name": b"", b"stopped_callback_name": b"", b"group_id": b"g",
    b"result_ttl": b"100", b"failure_ttl": b"-1", b"ttl": b"9", b"meta": b"x", b"retries_left": b"0",
    b"timeout": b"180", b"repeats_left": b"-1", b"dependency_ids": b'["a"]', b"rate_limit_key": b"",
}  # fmt: skip


def test_an_ordinary_job_is_plain_whatever_it_ends_in():
    assert Border().plain(ORDINARY) is PLAIN


@pytest.mark.parametrize(
    ("fields", "plain"),
    [
        ({b"success_callback_name": b"m.f"}, Plain(success=False)),
        ({b"failure_callback_name": b"m.f"}, Plain(failure=False)),
        ({b"stopped_callback_name": b"m.f"}, Plain(stop=False)),
        ({b"repeats_left": b"2"}, Plain(success=False)),
        ({b"retries_left": b"1"}, Plain(failure=False)),
        ({b"webhooks": b"[{}]"}, Plain(success=False, failure=False)),
        ({b"result_ttl": b"0"}, Plain(success=False)),
        ({b"failure_ttl": b"0"}, Plain(failure=False, stop=False)),
        ({b"rate_limit_key": b"k", b"rate_limit_concurrency": b"1"}, Plain(False, False, False)),
    ],
)
def test_what_has_consequences_is_left_to_rq(fields, plain):
    assert Border().plain(ORDINARY | fields) == plain


def test_a_workers_own_settings_move_the_border():
    without_ttl = {name: value for name, value in ORDINARY.items() if name != b"result_ttl"}
    assert Border(result_seconds=0).plain(without_ttl) == Plain(success=False)
    assert Border(rq_runs_all=True).plain(ORDINARY) == Plain(False, False, False)
    assert Border(rq_fails_all=True).plain(ORDINARY) == Plain(failure=False)


@pytest.mark.parametrize(
    ("version", "holds"),
    [("3.0.0", True), ("3.0.7", True), ("3.1.0", False), ("2.10.0", False), ("4.0", False), ("main", False)],
)
def test_a_version_of_rq_that_was_not_compared_is_not_trusted(version, holds):
    assert is_verified(version) is holds
