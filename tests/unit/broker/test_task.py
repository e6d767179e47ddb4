"""Ranges of calls, and records as the wire has them."""

from hypothesis import given
from hypothesis import strategies as st

from farpool_common.border import Border
from farpool_common.task import Claim, Malformed, Task, count, parse_task, without

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted).map(tuple), max_size=8)


def calls(pieces) -> set[int]:
    return {index for first, stop in pieces for index in range(first, stop)}


@given(ranges)
def test_what_is_left_is_what_was_not_taken(taken):
    left = without(((0, 50),), taken)
    assert calls(left) == set(range(50)) - calls(taken)
    assert count(left) == len(calls(left))
    assert list(left) == sorted(left)


@given(ranges, ranges)
def test_what_is_left_of_several_ranges_is_what_was_not_taken(whole, taken):
    whole = without(((0, 60),), whole)
    assert calls(without(whole, taken)) == calls(whole) - calls(taken)


def test_as_many_ranges_as_a_task_may_have_calls_are_taken_away_at_once():
    taken = [(number, number + 1) for number in range(0, 100_000, 2)]
    assert count(without(((0, 100_000),), taken)) == 50_000  # within the time that a test may take


records = st.dictionaries(
    st.sampled_from(
        [b"farpool_calls", b"farpool_reply", b"farpool_limit", b"farpool_parts", b"farpool_retries", b"timeout",
         b"farpool_abandons", b"result_ttl", b"failure_ttl", b"description", b"farpool_label"]
    ),
    st.binary(max_size=30) | st.sampled_from([b"1", b"-1", b"1e9", b"nan", b"0", b"99999999999999999999"]),
)  # fmt: skip


def parsed(record, delivered=()):
    return parse_task(Claim("q", "id", "execution", 1, delivered, record), "rq", Border())


@given(records, st.lists(st.binary(max_size=12)))
def test_a_record_with_any_bytes_is_a_task_or_malformed_and_never_an_error(record, delivered):
    found = parsed({**record, b"data": b"\x94"}, delivered)
    assert isinstance(found, (Task, Malformed))


def test_delivered_ranges_are_left_out_and_junk_among_them_is_ignored():
    record = {b"data": b"\x94", b"farpool_calls": b"10", b"farpool_reply": b"rq:farpool:reply:x"}
    found = parsed(record, [b"0-3", b"5-6", b"junk", b"9-99"])
    assert isinstance(found, Task)
    assert found.remaining == ((3, 5), (6, 9))


def test_a_plain_rq_job_has_rqs_own_defaults():
    found = parsed({b"data": b"x"})
    assert isinstance(found, Task)
    assert (found.limit, found.result_seconds, found.failure_seconds, found.reply) == (180.0, 500, None, None)
