"""What may be reported, and that nobody hears it outside of a task."""

import math

import numpy as np
import pytest

import farpool
from farpool_common import progress as module
from farpool_common.progress import MOST_LABEL, TaskProgress, as_progress


@pytest.fixture
def heard(monkeypatch):
    """What a listener in this process is told."""
    found = []
    monkeypatch.setattr(module, "_listener", lambda *said: found.append(TaskProgress(*said)))
    return found


def test_outside_of_a_task_nothing_happens_and_track_gives_the_items():
    farpool.progress(1, 2, "label")
    assert list(farpool.track("abc")) == ["a", "b", "c"]
    assert list(farpool.track(iter([1, 2]), "label", total=2)) == [1, 2]


def test_an_item_is_done_when_the_next_is_asked_for(heard):
    items = farpool.track([10, 20], "half")
    assert heard == [TaskProgress(0, 2, "half")]
    assert next(items) == 10
    assert heard == [TaskProgress(0, 2, "half")]
    assert next(items) == 20
    assert heard[-1] == TaskProgress(1, 2, "half")
    assert list(items) == []
    assert heard[-1] == TaskProgress(2, 2, "half")


def test_the_total_is_told_where_it_is_known(heard):
    list(farpool.track(range(3)))
    list(farpool.track((n for n in "abc"), total=3))
    list(farpool.track(n for n in "abc"))
    list(farpool.track([]))
    assert [each.total for each in heard if each.done == 0] == [3, 3, None, 0]


@pytest.mark.parametrize(
    ("said", "heard_as"),
    [
        ((0, 0), TaskProgress(0, 0)),
        ((5, 3), TaskProgress(5, 3)),
        ((0.5, 1.5), TaskProgress(0.5, 1.5)),
        ((np.int32(3), np.float32(4)), TaskProgress(3, 4.0)),
        ((True, 1), TaskProgress(1, 1)),
        ((2**70, None), TaskProgress(float(2**70), None)),
        ((1, 2, "x" * 5000), TaskProgress(1, 2, "x" * MOST_LABEL)),
    ],
)
def test_numbers_of_all_kinds_are_told(heard, said, heard_as):
    farpool.progress(*said)
    assert heard == [heard_as]
    assert [type(each) for each in (heard[0].done, heard[0].total)] == [type(heard_as.done), type(heard_as.total)]


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, -math.inf, 10**400, np.float64("nan")])
def test_what_is_no_count_is_refused(heard, bad):
    with pytest.raises(ValueError, match="at least 0"):
        farpool.progress(bad)
    with pytest.raises(ValueError, match="total is a number of things"):
        farpool.progress(0, bad)
    assert heard == []


@pytest.mark.parametrize("bad", ["3", b"3", None, [1], 1j])
def test_what_is_no_number_is_refused(heard, bad):
    with pytest.raises(TypeError, match="done is a number"):
        farpool.progress(bad)
    assert heard == []


def test_a_label_is_text(heard):
    with pytest.raises(TypeError, match="label is text, not int"):
        farpool.progress(1, 2, 3)
    assert heard == []


def test_bad_reports_are_refused_where_nobody_hears_them_too():
    with pytest.raises(ValueError):
        farpool.progress(-1)


def test_the_fraction_is_known_where_the_total_is():
    assert [TaskProgress(*each).fraction for each in [(1, 4), (9, 4), (1, None), (0, 0)]] == [0.25, 1.0, None, None]


def test_what_nobody_can_have_reported_is_left_out():
    assert as_progress(1, None, "x") == TaskProgress(1, None, "x")
    for fields in [(math.nan, 1, ""), (-1, 1, ""), ("1", 1, ""), (1, [], ""), (None, None, None)]:
        assert as_progress(*fields) is None
