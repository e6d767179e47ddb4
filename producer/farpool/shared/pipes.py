"""Pipes between hosts: two ends, each of which receives what the other sends."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from farpool.shared.queues import Stream
from farpool.shared.until import Until
from farpool_common.handles import Handle


class Connection(Handle):
    """One end of a `Pipe`, with the methods of `multiprocessing.connection.Connection`.

    An end that was passed on to a task or process is closed by who received it; `close` then only ends the handle
    at hand, as it closes one of several descriptors in multiprocessing.  An executor sends arguments a moment after
    `submit`: do not close an end before the task has it.
    """

    def __init__(self, incoming: Stream | None, outgoing: Stream | None) -> None:
        self._in, self._out = incoming, outgoing
        self._is_closed = self._was_passed_on = False

    @property
    def closed(self) -> bool:
        """Whether this handle was closed."""
        return self._is_closed

    @property
    def readable(self) -> bool:
        """Whether something may be received here."""
        return self._in is not None

    @property
    def writable(self) -> bool:
        """Whether something may be sent here."""
        return self._out is not None

    def send(self, obj: Any) -> None:
        """Send a value.  Raises BrokenPipeError when the other end is closed, EncodeError for what cannot travel."""
        self._outgoing().put(obj)

    def recv(self) -> Any:
        """The next value, waiting for one.  Raises EOFError when the other end is closed and all was received."""
        return self._incoming().take(Until(None))

    def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:
        """Send bytes, or a part of them."""
        view = memoryview(buf).cast("B")
        if not 0 <= offset <= len(view) or (size is not None and not 0 <= size <= len(view) - offset):
            raise ValueError("buffer length < offset + size")
        self.send(bytes(view[offset : None if size is None else offset + size]))

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """The next bytes, waiting for some.  Raises EOFError, or OSError when they are more than `maxlength`."""
        found = self.recv()
        if not isinstance(found, bytes):
            raise OSError("the other end sent a value and no bytes: receive it with recv()")
        if maxlength is not None and len(found) > maxlength:
            self.close()
            raise OSError("bad message length")
        return found

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether `recv` would return or raise at once; waits for that, for ever when `timeout` is None."""
        return self._incoming().has_item(Until(timeout))

    def close(self) -> None:
        """Tell the other end that nothing more comes, and that nothing is received."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._was_passed_on:
            for stream in (self._in, self._out):
                if stream is not None:
                    stream.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _incoming(self) -> Stream:
        self._check_open()
        if self._in is None:
            raise OSError("connection is write-only")
        return self._in

    def _outgoing(self) -> Stream:
        self._check_open()
        if self._out is None:
            raise OSError("connection is read-only")
        return self._out

    def _check_open(self) -> None:
        if self._is_closed:
            raise OSError("handle is closed")

    # --- how it travels --------------------------------------------------------------------------

    def description(self) -> tuple[str, str, Sequence[Any]]:
        """See Handle.  Raises OSError when it was closed for all."""
        self._pass_on()
        return "pipe", "", [self._in, self._out]

    @classmethod
    def from_description(cls, object_id: str, details: Sequence[Any]) -> Self:
        """See Handle."""
        incoming, outgoing = details
        if not all(isinstance(stream, Stream | None) for stream in details):
            raise TypeError("pipe")
        return cls(incoming, outgoing)

    def __reduce__(self) -> tuple[Any, ...]:
        self._pass_on()
        return type(self), (self._in, self._out)

    def _pass_on(self) -> None:
        if self._is_closed and not self._was_passed_on:
            raise OSError(
                "this end was closed before it was sent, and submit sends a moment later: close it when the task has it"
            )
        self._was_passed_on = True

    def __repr__(self) -> str:
        return f"<farpool.Connection in={self._in} out={self._out}>"


def Pipe(duplex: bool = True, *, url: str | None = None) -> tuple[Connection, Connection]:  # noqa: N802
    """`multiprocessing.Pipe` over hosts: two ends.  With `duplex=False` the first only receives, the second sends."""
    forth, back = Stream(url=url), Stream(url=url) if duplex else None
    return Connection(forth, back), Connection(back, forth)
