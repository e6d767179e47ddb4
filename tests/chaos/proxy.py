"""A proxy in front of a server that knows the protocol and does harm by rule.

A rule names a command (a script by the name of its file) and the n-th request that matches it.
"""

import asyncio
import contextlib
import hashlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from importlib import resources
from typing import Any

from resp import end_of, words_of

from farpool_common.broker.connection import script_text

PIECE = 1 << 16


class Harm(Enum):
    """What happens to a request.  LOSE_REQUEST: it never arrives, and the connection breaks.  LOSE_REPLY: it is
    carried out, and the connection breaks before the reply.  HOLD: the reply comes `seconds` late.  NOTICE: nothing."""

    LOSE_REQUEST = auto()
    LOSE_REPLY = auto()
    HOLD = auto()
    NOTICE = auto()


@dataclass
class Rule:
    """Harms the requests number `first` to `first + times - 1` (from 1) of a command.

    `strike` is called besides: with HOLD when the reply is there and has not been passed on, else before the request.
    """

    command: str
    harm: Harm
    first: int = 1
    times: int = 1
    seconds: float = 0.0
    seen: int = 0
    done: int = 0
    strike: Callable[[], object] = lambda: None

    def matches(self, command: str) -> bool:
        """Whether this request is to be harmed.  Counts it."""
        if command != self.command:
            return False
        self.seen += 1
        is_hit = self.first <= self.seen < self.first + self.times
        self.done += is_hit
        return is_hit


@dataclass
class Weather:
    """What holds for all connections: silent (nothing passes, nothing breaks), delayed, cut into single bytes."""

    is_silent: bool = False
    delay_seconds: float = 0.0
    is_sliced: bool = False


class FaultProxy:
    """Listens on a port of its own.  `connect`: how it reaches the server, looked at for each new connection."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        self.rules: list[Rule] = []
        self.weather = Weather()
        self._names = _script_names()
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._thread.start()

    def break_all(self) -> None:
        """Reset every connection."""
        self._call(self._break_all())

    def close(self) -> None:
        """Break all connections and stop."""
        self._call(self._break_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command_of(self, request: bytes) -> str:
        """A script's name, or the command in capitals."""
        words = words_of(request)
        command = words[0].upper().decode("ascii", "replace")
        if command == "EVALSHA":
            return self._names.get(words[1].decode(), command)
        if command == "EVAL":
            return self._names.get(hashlib.sha1(words[1]).hexdigest(), command)
        return command

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._listener))
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _call(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(5)

    async def _break_all(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_unix_connection(self.socket_path)
        except OSError:
            writer.close()
            return
        pair = _Pair(self, (reader, writer), upstream)
        self._pairs.add(pair)
        try:
            await pair.run()
        finally:
            self._pairs.discard(pair)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(eq=False)
class _Pair:
    """One connection of a client and the one to the server that belongs to it."""

    proxy: FaultProxy
    client: Streams
    server: Streams
    _expected: deque[Rule | None] = field(default_factory=deque)

    async def run(self) -> None:
        ways = (self._way(self.client[0], self._request), self._way(self.server[0], self._reply))
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        for _, writer in (self.client, self.server):
            writer.close()

    def reset(self) -> None:
        """Break the client's connection as a crash would: by RST, whatever is on its way."""
        raw = self.client[1].get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client[1].transport.abort()

    async def _way(self, reader: asyncio.StreamReader, take: Callable[[bytes], Awaitable[bool]]) -> None:
        data = bytearray()
        while piece := await reader.read(PIECE):
            data += piece
            while (end := end_of(data)) is not None:
                whole = bytes(data[:end])
                del data[:end]
                await self._wait()
                if not await take(whole):
                    self.reset()
                    return

    async def _wait(self) -> None:
        weather = self.proxy.weather
        if weather.delay_seconds:
            await asyncio.sleep(weather.delay_seconds)
        while self.proxy.weather.is_silent:
            await asyncio.sleep(0.01)

    async def _request(self, whole: bytes) -> bool:
        command = self.proxy.command_of(whole)
        rule = next((rule for rule in self.proxy.rules if rule.matches(command)), None)
        if rule is not None and rule.harm is not Harm.HOLD:
            rule.strike()
        if rule is not None and rule.harm is Harm.LOSE_REQUEST:
            return False
        self._expected.append(rule)
        await self._send(self.server[1], whole)
        return True

    async def _reply(self, whole: bytes) -> bool:
        is_pushed = whole.startswith(b">") or not self._expected  # a message of a channel
        rule = None if is_pushed else self._expected.popleft()
        if rule is not None and rule.harm is Harm.LOSE_REPLY:
            return False
        if rule is not None and rule.harm is Harm.HOLD:
            rule.strike()
            await asyncio.sleep(rule.seconds)
        await self._send(self.client[1], whole)
        return True

    async def _send(self, writer: asyncio.StreamWriter, whole: bytes) -> None:
        if not self.proxy.weather.is_sliced:
            writer.write(whole)
            await writer.drain()
            return
        for at in range(len(whole)):
            writer.write(whole[at : at + 1])
            await writer.drain()


def _script_names() -> dict[str, str]:
    folder = resources.files("farpool_common") / "lua"
    names = [path.name.removesuffix(".lua") for path in folder.iterdir() if path.name.endswith(".lua")]
    return {hashlib.sha1(script_text(name).encode()).hexdigest(): name for name in names}
