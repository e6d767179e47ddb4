"""How many calls make one task."""

import pytest

from farpool.shipping.pace import MOST_BYTES, Pace


def pace(seconds: float | None = None, nbytes: int = 0) -> Pace:
    found = Pace()
    if seconds is not None:
        found.learn(seconds, 1)
    if nbytes:
        found.learn_size(nbytes, 1)
    return found


def test_nothing_is_known_before_the_first_measurement() -> None:
    assert pace().calls_within(0.005, 1000) is None


@pytest.mark.parametrize(
    ("seconds", "calls"), [(1.0, 1), (0.006, 1), (0.0026, 1), (0.0024, 2), (0.0005, 10), (0.0, 1000)]
)
def test_calls_fill_the_time_of_a_task(seconds: float, calls: int) -> None:
    assert pace(seconds).calls_within(0.005, 1000) == calls


def test_large_arguments_travel_in_small_tasks() -> None:
    assert pace(0.0, MOST_BYTES // 4).calls_within(0.005, 1000) == 4
    assert pace(0.0, MOST_BYTES * 4).calls_within(0.005, 1000) == 1


def test_a_slow_first_call_is_soon_outweighed() -> None:
    found = pace(0.1)
    for _ in range(11):
        found.learn(0.00001, 1)
    assert found.calls_within(0.005, 1000) > 1


def test_a_task_of_many_calls_counts_for_all_of_them() -> None:
    found = pace(0.1)
    found.learn(0.001, 1000)
    assert found.calls_within(0.005, 1000) == 1000


def test_a_function_with_a_long_call_now_and_then_is_gathered_less_for_long() -> None:
    found = Pace()
    for call in range(5_000):
        found.learn(2.0 if call % 1_000 == 500 else 0.00001, 1)
    assert 1 <= (found.calls_within(0.005, 1000) or 0) <= 12, "a long call in a thousand"
    for _ in range(2_000):
        found.learn(0.001, 100)
    assert found.calls_within(0.005, 1000) == pytest.approx(500, abs=5), "and none for a long time"


def test_the_first_calls_of_a_process_do_not_count_for_long() -> None:
    found = Pace()
    for process in range(10):
        found.learn(1.0, 1, process)
    found.learn(0.001, 1000, 3)
    assert found.calls_within(0.005, 1000) == 1000


def test_one_slow_call_at_the_beginning_is_outweighed_by_a_few_hundred() -> None:
    found = pace(0.00001)
    found.learn(0.05, 1)
    tasks = 0
    while (size := found.calls_within(0.005, 1000) or 0) < 400:
        found.learn(0.00001 * size, size)
        tasks += 1
    assert tasks < 200
