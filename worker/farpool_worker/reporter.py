"""Collects what a child has to tell, and tells it in few system calls."""

import time
from collections.abc import Sequence
from typing import Any

from farpool_worker.channel import Channel, Frame, framed
from farpool_worker.store import Segment


class Reporter:
    """Messages wait here up to `seconds` for others to travel with."""

    def __init__(self, channel: Channel, seconds: float) -> None:
        self._channel, self._seconds = channel, seconds
        self._frames: list[Frame] = []
        self._since = 0.0  # when the oldest of them was added

    def add(self, fields: Sequence[Any], segments: Sequence[Segment] = ()) -> None:
        """Raises OSError when there is no memory for it; then nothing is added."""
        frame = framed(fields, segments)
        if not self._frames:
            self._since = time.perf_counter()
        self._frames.append(frame)

    def flush(self) -> None:
        """Tell everything now."""
        frames, self._frames = self._frames, []
        self._channel.write(frames)

    def flush_if_late(self) -> None:
        """Tell everything, when the oldest of it has waited long enough."""
        if self._frames and time.perf_counter() - self._since >= self._seconds:
            self.flush()
