"""Reads the inputs of a map, in the thread that takes its results."""

from collections.abc import Callable
from time import monotonic
from typing import Literal

from farpool.client.client import Client
from farpool.shipping.inputs import Columns
from farpool.shipping.pieces import Pieces

BufferSize = int | Literal["auto"] | None

READ_SECONDS = 0.01
"""Results that are here wait about so long while inputs are read ahead."""


class Feeder:
    """Keeps as many inputs ahead of the results taken as `buffersize` says.

    None: all of them at once.  "auto": as many as keep all slots busy.
    """

    def __init__(
        self, client: Client, pieces: Pieces, read: Callable[[int | None], Columns], buffersize: BufferSize
    ) -> None:
        self._client, self._pieces, self._read = client, pieces, read
        self._buffersize = buffersize
        self._ahead = 0
        self._is_through = False

    def feed(self) -> None:
        """Read what is missing.  Raises what the inputs raise, and RuntimeError after a shutdown."""
        match self._buffersize:
            case None:
                self._add(None)
            case int(buffersize):
                self._add(buffersize - self._ahead)
            case _:
                self._feed_for(READ_SECONDS)

    def taken(self, count: int) -> None:
        """So many results were taken."""
        self._ahead -= count
        if not self._is_through:
            self.feed()

    def _feed_for(self, seconds: float) -> None:
        """Inputs that come slowly must not hold back results, so what is missing is read bit by bit."""
        until, block = monotonic() + seconds, 1
        while (missing := self._pieces.calls_ahead() - self._ahead) > 0 and not self._is_through:
            self._add(min(missing, block))
            block *= 2
            if monotonic() >= until:
                return

    def _add(self, count: int | None) -> None:
        columns = self._read(count)
        added = len(columns[0])
        self._ahead += self._client.extend(self._pieces, columns) if added else 0
        if count is None or added < count:
            self._is_through = True
            self._pieces.end()
