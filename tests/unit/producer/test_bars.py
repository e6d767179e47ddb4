"""Progress bars of maps: when there is one, what it shows, and that nothing about it reaches the results."""

import gc
import io
import sys
from types import SimpleNamespace

import pytest

from farpool.maps import bars


class Bar:
    """What would be on the screen."""

    def __init__(self, label, total, is_broken=False):
        self.label, self.total, self.is_broken = label, total, is_broken
        self.shown, self.is_closed = [], False

    def show(self, done):
        self.shown.append(done)
        if self.is_broken:
            raise RuntimeError("no screen")

    def close(self):
        self.is_closed = True
        if self.is_broken:
            raise RuntimeError("no screen")


@pytest.fixture
def opened(monkeypatch):
    """The bars that were opened; `opened.is_broken` breaks the next ones."""
    found = SimpleNamespace(bars=[], is_broken=False)

    def new(label, total):
        found.bars.append(Bar(label, total, found.is_broken))
        return found.bars[-1]

    monkeypatch.setattr(bars, "bar_here", lambda: new)
    return found


def test_a_bar_shows_how_many_results_were_taken(opened):
    results = bars.frame("squares", [range(5)])(iter(range(5)))
    assert opened.bars == []  # it opens with the first look
    assert list(results) == [0, 1, 2, 3, 4]
    (bar,) = opened.bars
    assert (bar.label, bar.total, bar.shown[-1], bar.is_closed) == ("squares", 5, 5, True)


def test_a_bar_is_not_drawn_for_each_result(opened):
    list(bars.frame(True, [range(100_000)])(iter(range(100_000))))
    assert len(opened.bars[0].shown) < 1000


@pytest.mark.parametrize(
    ("inputs", "total"),
    [
        ([range(3), "abcde"], 3),
        ([iter(range(4))], 4),
        ([(n for n in "ab")], None),
        ([], None),
        ([range(2), (n for n in "a")], 2),
    ],
)
def test_the_total_is_the_length_of_the_shortest_input_that_has_one(opened, inputs, total):
    list(bars.frame(True, inputs)(iter("x")))
    assert opened.bars[0].total == total


def test_an_input_that_cannot_tell_its_length_is_no_trouble(opened):
    class Odd:
        def __len__(self):
            raise RuntimeError("not now")

    assert list(bars.frame(True, [Odd()])(iter("xy"))) == ["x", "y"]
    assert opened.bars[0].total is None


def test_an_error_closes_the_bar_and_passes(opened):
    def results():
        yield 1
        raise KeyError("x")

    shown = bars.frame(True, [range(5)])(results())
    assert next(shown) == 1
    with pytest.raises(KeyError):
        next(shown)
    assert opened.bars[0].is_closed


def test_close_closes_the_bar_and_the_results(opened):
    ended = []

    def results():
        try:
            yield from range(5)
        finally:
            ended.append("ended")

    shown = bars.frame(True, [range(5)])(results())
    next(shown)
    shown.close()
    assert (opened.bars[0].is_closed, ended) == (True, ["ended"])
    assert list(shown) == []
    assert len(opened.bars) == 1


def test_results_that_are_forgotten_take_their_bar_along(opened):
    shown = bars.frame(True, [range(5)])(iter(range(5)))
    next(shown)
    del shown
    gc.collect()
    assert opened.bars[0].is_closed


def test_a_bar_that_breaks_breaks_no_result(opened, monkeypatch):
    opened.is_broken = True
    assert list(bars.frame(True, [range(5)])(iter(range(5)))) == [0, 1, 2, 3, 4]

    def fails(label, total):
        raise RuntimeError("no screen")

    monkeypatch.setattr(bars, "bar_here", lambda: fails)
    assert list(bars.frame(True, [range(5)])(iter(range(5)))) == [0, 1, 2, 3, 4]


def test_where_none_is_wanted_the_results_are_what_they_were(opened):
    results = iter(range(5))
    assert bars.frame(False, [range(5)])(results) is results


def test_in_a_pipe_there_is_none(monkeypatch):
    results = iter(range(5))
    for stderr in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stderr)
        assert bars.frame("squares", [range(5)])(results) is results


@pytest.mark.parametrize("bad", [1, None, b"x", 0.5])
def test_what_says_nothing_about_a_bar_is_refused(bad):
    with pytest.raises(TypeError, match="progress is True, False, or the text"):
        bars.frame(bad, [])


def test_a_kernel_has_the_bar_of_notebooks(monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert bars.bar_here() is bars.notebook_bar
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert bars.bar_here() is not bars.notebook_bar


def test_without_tqdm_a_notebook_gets_advice_and_no_bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.notebook", None)
    with pytest.warns(UserWarning, match=r"pip install farpool\[notebook\]"):
        assert bars.notebook_bar("", 5) is None


def test_several_bars_share_the_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    one, two = (bars.frame(label, [range(50)])(iter(range(50))) for label in ("[one]", "two"))
    assert [a + b for a, b in zip(one, two, strict=True)] == [2 * n for n in range(50)]
    assert "[one]" in screen.getvalue()
    assert screen.getvalue().count("50/50") >= 2
    assert bars._TERMINAL._display is None
