"""How many calls run before their results travel, by a clock that only the calls wind."""

from collections.abc import Callable
from typing import Any

import pytest

from farpool_common import calls
from farpool_common.calls import CALL, MOST_UNTIMED, STOP, Results, run_some


class Clock:
    """Every call takes as long as `seconds` says of it."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.now, self._seconds, self.looks = 1000.0, seconds, 0
        self.cursor = [0, 0, 0, 0]
        self.named: list[int] = []

    def perf_counter(self) -> float:
        self.looks += 1
        return self.now

    def run(self, number: int) -> int:
        self.named.append(self.cursor[CALL])
        self.now += self._seconds(number)
        return number

    def some(self, count: int, seconds: float, **options: Any) -> Results:
        return run_some(self.run, ((number,) for number in range(count)), 0, self.cursor, seconds, **options)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], Clock]:
    def start(seconds: Callable[[int], float]) -> Clock:
        clock = Clock(seconds)
        monkeypatch.setattr(calls, "perf_counter", clock.perf_counter)
        return clock

    return start


Start = Callable[[Callable[[int], float]], Clock]


def test_each_call_is_named_while_it_runs(started: Start) -> None:
    clock = started(lambda _: 1e-6)
    clock.some(1000, 1.0)
    assert clock.named == list(range(1000))


def test_quick_calls_run_for_as_long_as_results_may_wait(started: Start) -> None:
    results = started(lambda _: 1e-6).some(10_000, 0.002)
    assert 2000 <= len(results.values) <= 2000 + MOST_UNTIMED
    assert results.seconds == pytest.approx(len(results.values) * 1e-6)


def test_the_clock_is_looked_at_less_often_than_quick_calls_run(started: Start) -> None:
    clock = started(lambda _: 1e-6)
    clock.some(1600, 1.0)
    assert clock.looks < 110


def test_results_of_slow_calls_travel_alone(started: Start) -> None:
    assert len(started(lambda _: 0.1).some(10, 0.002).values) == 1


def test_calls_that_turn_slow_hold_results_back_for_few_of_them(started: Start) -> None:
    results = started(lambda number: 0.1 if number >= 500 else 1e-6).some(10_000, 0.002)
    assert 500 < len(results.values) <= 500 + MOST_UNTIMED


def test_with_a_limit_every_call_is_timed(started: Start) -> None:
    results = started(lambda number: 0.1 if number >= 500 else 1e-6).some(10_000, 0.002, most_untimed=1)
    assert len(results.values) == 501


def test_no_call_begins_once_the_cursor_says_stop(started: Start) -> None:
    clock = started(lambda number: 1e-6 if number != 100 else clock.cursor.__setitem__(STOP, 1) or 1e-6)
    assert len(clock.some(1000, 1.0).values) == 101


def test_failures_are_results_too(started: Start) -> None:
    results = started(lambda number: 1 / (number % 3)).some(3, 1e9)
    assert (results.values, list(results.failures)) == ([None, 1, 2], [0])


def test_a_call_that_stops_an_iteration_fails_alone(started: Start) -> None:
    values = iter([1, 2])
    clock = started(lambda _: next(values) * 1e-6)
    results = clock.some(4, 1e9)
    assert (results.values, list(results.failures)) == ([0, 1, None, None], [2, 3])
