"""Collects what a child has to tell, and tells it in few system calls."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.channel import Channel, Frame, framed


class Reporter:
    """Messages wait here up to `seconds` for others to travel with.

    For the child's own thread; what any thread may call are the `try_` methods, which do nothing rather than wait.
    """

    def __init__(self, channel: Channel, seconds: float) -> None:
        self._channel, self._seconds = channel, seconds
        self._frames: list[Frame] = []
        self._since = 0.0  # when the oldest of them was added
        self._lock = threading.Lock()

    def add(self, fields: Sequence[Any], segments: Sequence[Segment] = ()) -> None:
        """Raises OSError when there is no memory for it; then nothing is added."""
        frame = framed(fields, segments)
        with self._lock:
            self._keep(frame)

    def _keep(self, frame: Frame) -> None:
        if not self._frames:
            self._since = time.perf_counter()
        self._frames.append(frame)

    def flush(self) -> None:
        """Tell everything now."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        frames, self._frames = self._frames, []
        self._channel.write(frames)

    def flush_if_late(self) -> None:
        """Tell everything, when the oldest of it has waited long enough."""
        if self._frames and time.perf_counter() - self._since >= self._seconds:
            self.flush()

    def try_add(self, fields: Sequence[Any]) -> bool:
        """Add a message, unless another thread is at it, or this one was interrupted at it."""
        return self._try(lambda: self._keep(framed(fields)))

    def try_ring(self) -> bool:
        """Tell everything now, and that there is news on the slate; the same holds."""

        def ring() -> None:
            self._keep(framed(["told"]))
            self._write()

        return self._try(ring)

    def _try(self, act: Callable[[], None]) -> bool:
        if not self._lock.acquire(blocking=False):
            return False
        try:
            act()
        except OSError:  # the daemon is gone, or there is no memory: the child's own thread meets it, too
            return False
        finally:
            self._lock.release()
        return True
