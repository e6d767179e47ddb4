"""TLS in front of a server, as stunnel or a load balancer gives it: one thread, any number of connections."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PIECE = 1 << 16


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for a name and for this machine, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(cert))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextmanager
def tls_front(cert: Path, key: Path, port: int) -> Iterator[int]:
    """The port at which TLS is spoken for what listens on `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, name="tls front")
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    except OSError:  # one side has gone
        pass
    finally:
        writer.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    ours = asyncio.current_task()
    open_ones = [task for task in asyncio.all_tasks() if task is not ours]
    for task in open_ones:
        task.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)
