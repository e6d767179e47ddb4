"""Standard output and error of a child: written as ever, and noted besides.

It is what Python code writes: print, logging, `sys.stdout.buffer`.  What C libraries and programs that a task starts
write goes past us, to where the daemon's own output goes.
"""

import io
import sys
from collections.abc import Callable
from typing import Any


def capture(note: Callable[[bytes], None]) -> None:
    """From now on `note` is given what is written to `sys.stdout` and `sys.stderr`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(getattr(stream, "buffer", None), io.IOBase):
            setattr(sys, name, _noted(stream, note))


def _noted(stream: Any, note: Callable[[bytes], None]) -> io.TextIOWrapper:
    """The same stream, with a byte layer that notes.  Nothing waits in it: a killed task has said what it has said."""
    return io.TextIOWrapper(
        _Noting(stream, note), encoding=stream.encoding, errors=stream.errors, newline="\n", write_through=True
    )


class _Noting(io.BufferedIOBase):
    """Bytes on their way to a stream.  Lines go on at once, as before."""

    def __init__(self, stream: Any, note: Callable[[bytes], None]) -> None:
        self._stream, self._note = stream, note  # the text layer would close its byte layer if we let it go

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._note(raw)
        written: int = self._stream.buffer.write(raw)
        if b"\n" in raw:
            self._stream.buffer.flush()
        return written

    def flush(self) -> None:
        self._stream.buffer.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._stream.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    @property
    def name(self) -> Any:
        """As the stream's: `<stdout>`."""
        return self._stream.name

    @property
    def mode(self) -> Any:
        """As the stream's."""
        return self._stream.mode
