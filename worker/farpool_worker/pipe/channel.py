"""The pipe between the daemon and one child: messages, and the files that travel with them.

A frame is a header and a msgpack body.  The descriptors of its files go by SCM_RIGHTS with its first
byte, so they are there before the frame is complete.  A body above 32 KiB travels as a file itself: a
frame always fits the socket's buffer, and the daemon can write to an idle child without waiting.
"""

import array
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import msgpack

from farpool_worker.buffers.lending import Borrowed
from farpool_worker.buffers.store import AnonymousFile, Segment, lay_out

INLINE_BYTES = 32 * 1024
"""Longest body inside a frame: a sixth of the socket's default buffer (208 KiB)."""

MOST_FILES = 250
"""Descriptors in one frame; the kernel takes 253 at once (SCM_MAX_FD)."""

_READ_BYTES = 64 * 1024
_READS_AT_ONCE = 32
"""More than a full socket buffer, and a bound, so that one child cannot hold the daemon's attention."""

_MAGIC = b"\xfaP"
_HEADER = struct.Struct("<2sBBI")  # magic, whether the body is file 0, number of files, bytes of the body
_ANCILLARY_BYTES = socket.CMSG_SPACE(253 * 4)


class GarbageError(Exception):
    """The other end wrote something that is no message."""


@dataclass(frozen=True)
class Message:
    """Fields, the first of which names the kind, and segments."""

    fields: list[Any]
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Frame:
    """A message ready to be written."""

    data: bytes
    files: Sequence[AnonymousFile]


def framed(fields: Sequence[Any], segments: Sequence[Segment] = ()) -> Frame:
    """Wire form of a message.  Raises OSError when it is large and there is no memory for it."""
    if len({id(segment.file) for segment in segments}) >= MOST_FILES:
        segments = Segment.holding([segment.view for segment in segments])
    files, layout = lay_out(segments)
    body = msgpack.packb([fields, layout], unicode_errors="surrogatepass")
    if len(body) <= INLINE_BYTES:
        return Frame(_HEADER.pack(_MAGIC, 0, len(files), len(body)) + body, files)
    (large,) = Segment.holding([memoryview(body)])
    return Frame(_HEADER.pack(_MAGIC, 1, len(files) + 1, len(body)), [large.file, *files])


class Channel:
    """One end of the pipe.  The child's end waits; the daemon's end never does."""

    def __init__(self, connection: Connection, *, waits: bool) -> None:
        # Connection.recv_bytes would wait for the rest of a frame that a stopped or hostile child never
        # sends, and it cannot take descriptors; so both ends speak through the socket below it.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        connection.close()
        self._socket.setblocking(waits)
        self._bytes = bytearray()
        self._files: deque[AnonymousFile] = deque()
        self._borrowed = Borrowed()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def write(self, frames: Sequence[Frame]) -> None:
        """Send frames, in one system call when they are few.

        Raises OSError: the other end is gone or, for an end that does not wait, its buffer is full.
        """
        for data, files in _grouped(frames):
            rights = array.array("i", [file.fd for file in files])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if files else []
            sent = self._socket.sendmsg([data], ancillary)
            if sent < len(data):
                self._socket.sendall(memoryview(data)[sent:])

    def next_message(self) -> Message:
        """The next message, waiting for it.  Raises EOFError when the other end is gone."""
        while (message := self._parsed()) is None:
            self._read()
        return message

    def is_quiet(self, seconds: float) -> bool:
        """True when nothing arrives for so long."""
        return not self._bytes and not select.select([self._socket], [], [], seconds)[0]

    def messages(self) -> Iterator[Message]:
        """The complete messages that have arrived.  Raises GarbageError; EOFError once all have been taken."""
        more, reads = True, 0
        while more and reads < _READS_AT_ONCE:
            try:
                more = self._read()
            except BlockingIOError:
                return
            reads += 1
            yield from iter(self._parsed, None)

    def unmap_idle(self) -> None:
        """Let go of memory of the other end's that nobody here uses."""
        self._borrowed.clear()

    def close(self) -> None:
        """Close this end and whatever arrived and was not taken."""
        self._socket.close()
        self._files.clear()
        self._borrowed.clear()

    def _read(self) -> bool:
        """Take in what has arrived; returns whether there may be more."""
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(_READ_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError as error:
            raise EOFError from error
        for level, kind, rights in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(rights) - len(rights) % 4
                self._files.extend(map(self._borrowed.received, array.array("i", rights[:whole])))
        if flags & socket.MSG_CTRUNC:
            raise GarbageError("descriptors were lost: too many open files?")
        if not data:
            raise EOFError
        self._bytes += data
        return bool(ancillary) or len(data) == _READ_BYTES  # descriptors end a read early

    def _parsed(self) -> Message | None:
        """Take one message off what has arrived, or None when it is not complete."""
        if len(self._bytes) < _HEADER.size:
            if not _MAGIC.startswith(self._bytes[: len(_MAGIC)]):
                raise GarbageError("not a message")
            return None
        magic, in_file, count, length = _HEADER.unpack_from(self._bytes)
        if magic != _MAGIC or in_file > count or (not in_file and length > INLINE_BYTES):
            raise GarbageError("not a message")
        end = _HEADER.size if in_file else _HEADER.size + length
        if len(self._bytes) < end:
            return None
        if len(self._files) < count:
            raise GarbageError("a message without its descriptors")
        files = [self._files.popleft() for _ in range(count)]
        inline = bytes(self._bytes[_HEADER.size : end])
        del self._bytes[:end]
        return _message(inline if not in_file else None, length, files)


def _message(inline: bytes | None, length: int, files: list[AnonymousFile]) -> Message:
    try:
        body = files.pop(0).view[:length] if inline is None else inline
        fields, layout = msgpack.unpackb(body, unicode_errors="surrogatepass", strict_map_key=False)
        kind, *_ = fields
        if not isinstance(kind, str):
            raise TypeError("the kind of a message is a word")
        segments = tuple(Segment.of(files[index], offset, nbytes) for index, offset, nbytes in layout)
    except Exception as error:  # whatever a task may have written into the pipe
        raise GarbageError(f"not a message: {error}") from error
    return Message(fields, segments)


def _grouped(frames: Sequence[Frame]) -> Iterator[tuple[bytes, list[AnonymousFile]]]:
    data, files = bytearray(), list[AnonymousFile]()
    for frame in frames:
        if len(files) + len(frame.files) > MOST_FILES:
            yield bytes(data), files
            data, files = bytearray(), []
        data += frame.data
        files.extend(frame.files)
    if data:
        yield bytes(data), files
