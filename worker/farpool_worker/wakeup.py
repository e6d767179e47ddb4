"""A pipe that ends the main loop's wait, from other threads and from signal handlers."""

import contextlib
import os


class Wakeup:
    """`fileno` becomes readable after `ring`, until `clear`."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """What to wait on."""
        return self._reader

    def ring(self) -> None:
        """End the wait.  Never blocks: a full pipe wakes just as well."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self.writer, b"\0")

    def clear(self) -> None:
        """Forget all rings so far."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._reader, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Close both ends."""
        os.close(self._reader)
        os.close(self.writer)
