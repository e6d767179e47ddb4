"""Progress bars of maps: rich's on a terminal, tqdm's in a notebook, none in a pipe.

A bar shows how many results were taken.  It is an ornament: nothing that goes wrong with it reaches the results.
"""

import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from operator import length_hint
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

DRAW_SECONDS = 0.1
"""Between two changes of a bar."""

Wanted = bool | str
"""Whether a map has a bar; a text stands before it."""


class Bar(Protocol):
    """One bar on the screen."""

    def show(self, done: int) -> None:
        """So many results were taken."""

    def close(self) -> None:
        """Leave it as it is."""


Open = Callable[[str, int | None], Bar | None]


def frame(progress: Any, inputs: Sequence[Iterable[Any]]) -> Callable[[Iterator[T]], Iterator[T]]:
    """What puts the results of a map over these inputs under a bar, if one is wanted and there is somebody to see it.

    Raises TypeError when `progress` does not say whether one is.
    """
    if not isinstance(progress, (bool, str)):
        raise TypeError(f"progress is True, False, or the text of the bar, not {progress!r}")
    opened = None if progress is False else bar_here()
    if opened is None:
        return _as_they_are
    return partial(Shown, partial(opened, progress if isinstance(progress, str) else "", _count_of(inputs)))


def _as_they_are(results: Iterator[T]) -> Iterator[T]:
    return results


def _count_of(inputs: Sequence[Iterable[Any]]) -> int | None:
    """How many calls there are, by the shortest of the inputs; None where none of them knows its length."""
    with suppress(Exception):  # whatever an input's own `__len__` raises
        return min((length for each in inputs if (length := length_hint(each, -1)) >= 0), default=None)
    return None


def bar_here() -> Open | None:
    """The kind of bar for what this process writes to."""
    if _is_notebook():
        return notebook_bar
    with suppress(AttributeError, ValueError):  # no stderr at all, or a closed one
        if sys.stderr.isatty():
            return _TERMINAL.bar
    return None


def _is_notebook() -> bool:
    """Only a kernel has loaded IPython and has a `kernel`."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")


class Shown(Iterator[T], Generic[T]):
    """Results under a bar, which opens with the first look and closes with the last result, with an error, and with
    `close`."""

    def __init__(self, opened: Callable[[], Bar | None], results: Iterator[T]) -> None:
        self._results = results
        self._opened: Callable[[], Bar | None] | None = opened
        self._bar: Bar | None = None
        self._taken, self._draw_at = 0, 0.0

    def __next__(self) -> T:
        if self._opened is not None:
            self._open(self._opened)
        try:
            result = next(self._results)
        except BaseException:
            self._end()
            raise
        self._taken += 1
        if self._bar is not None and monotonic() >= self._draw_at:
            self._draw(self._bar)
        return result

    def close(self) -> None:
        """Yield no more, and cancel what has no result."""
        self._end()
        close = getattr(self._results, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        self._end()

    def _open(self, opened: Callable[[], Bar | None]) -> None:
        self._opened = None
        with suppress(Exception):
            self._bar = opened()

    def _draw(self, bar: Bar) -> None:
        self._draw_at = monotonic() + DRAW_SECONDS
        with suppress(Exception):
            bar.show(self._taken)

    def _end(self) -> None:
        bar, self._bar, self._opened = self._bar, None, None
        if bar is not None:
            self._draw(bar)
            with suppress(Exception):
                bar.close()


# --- notebooks -------------------------------------------------------------------------------------


class _NotebookBar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, done: int) -> None:
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


def notebook_bar(label: str, total: int | None) -> Bar | None:
    """tqdm's bar for notebooks; a warning where it is not installed."""
    try:
        from tqdm.notebook import tqdm

        return _NotebookBar(tqdm(total=total, desc=label or None))
    except ImportError:  # tqdm, or ipywidgets, which it asks for when it draws
        warnings.warn(
            "progress bars in notebooks need tqdm and ipywidgets: pip install farpool[notebook]. The results come "
            "without a bar.",
            stacklevel=5,
        )
        return None


# --- terminals -------------------------------------------------------------------------------------


class _Terminal:
    """All bars of this process in one display, for a terminal has one cursor.  Any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may close a bar at any moment
        self._display: Any = None
        self._open = 0

    def bar(self, label: str, total: int | None) -> Bar:
        with self._lock:
            if self._display is None:
                self._display = _display()
                self._display.start()
            number = self._display.add_task(label, total=total)
            self._open += 1
            return _TerminalBar(self, self._display, number)

    def closed(self) -> None:
        """One bar less; the display ends with the last."""
        with self._lock:
            self._open -= 1
            if self._open == 0:
                display, self._display = self._display, None
                display.stop()


class _TerminalBar:
    def __init__(self, terminal: _Terminal, display: Any, number: Any) -> None:
        self._terminal, self._display, self._number = terminal, display, number

    def show(self, done: int) -> None:
        self._display.update(self._number, completed=done)

    def close(self) -> None:
        self._terminal.closed()


def _display() -> Any:
    """Rich is loaded by the first bar."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))


_TERMINAL = _Terminal()
