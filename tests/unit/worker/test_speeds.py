"""How long results wait in a child for those of further calls."""

from farpool_worker.child.speeds import CAUTIOUS_CALLS, Speeds


def test_results_wait_for_a_function_that_was_quick_the_last_time() -> None:
    speeds = Speeds()
    assert not speeds.is_quick("f")
    speeds.note("f", 10, 0.001)
    assert speeds.is_quick("f")
    speeds.note("f", 1, 0.002)
    assert not speeds.is_quick("f")


def test_after_a_long_call_among_quick_ones_results_hardly_wait_for_a_while() -> None:
    speeds = Speeds()
    speeds.note("f", 10, 2.0)
    speeds.note("f", 10, 0.001)
    assert not speeds.is_quick("f")
    assert speeds.patience("f", 0.002) <= 0.0001
    assert speeds.patience("g", 0.002) == 0.002
    speeds.note("f", CAUTIOUS_CALLS, 0.001)
    assert speeds.is_quick("f")
    assert speeds.patience("f", 0.002) == 0.002


def test_a_quick_function_with_a_long_call_alone_is_such_a_one_too() -> None:
    speeds = Speeds()
    speeds.note("f", 1, 0.0001)
    speeds.note("f", 1, 2.0)
    assert speeds.patience("f", 0.002) <= 0.0001


def test_a_function_that_is_always_long_is_not() -> None:
    speeds = Speeds()
    for _ in range(3):
        speeds.note("f", 1, 2.0)
    assert speeds.patience("f", 0.002) == 0.002
