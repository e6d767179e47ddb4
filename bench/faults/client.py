"""A system's client, in a process and an environment of its own: `python -m bench.faults.client MODULE`.

It is told what to do on its standard input, a line of JSON each, and answers with one on its standard output.
"""

import importlib
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from bench.faults.outcome import Outcome
from bench.serving import serve


class Client(Protocol):
    """What each module of `bench.faults.peers` has as its class Client.  The server's address is in BENCH_URL."""

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        """Hand over a call of `bench.faults.tasks`.  Raises when the system does not accept it."""

    def look(self, key: str) -> Outcome:
        """What is known of a call that was accepted."""

    def spoil(self, number: int) -> str:
        """Put a malformed record among the good ones.  Different numbers do it in different ways; says how."""

    def doubles(self) -> int:
        """Results beyond one per task that the system itself still shows."""

    def close(self) -> None:
        """Wait for nothing."""


def main(module: str) -> None:
    """Serve until the input ends."""
    serve(lambda: importlib.import_module(module).Client(), _answer)


def _answer(client: Client, order: dict[str, Any]) -> Any:
    match order:
        case {"do": "submit", "key": key, "call": call, "args": args}:
            return _accepted(client, key, call, args)
        case {"do": "look", "keys": keys}:
            return _looks(client, keys)
        case {"do": "spoil", "number": number}:
            return client.spoil(number)
        case {"do": "doubles"}:
            return client.doubles()
    raise ValueError(order)


def _accepted(client: Client, key: str, call: str, args: list[Any]) -> str:
    """ "" or why it was refused."""
    try:
        client.submit(key, call, args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _looks(client: Client, keys: Iterable[str]) -> dict[str, Any]:
    """A client that cannot look knows nothing new."""
    found = {}
    for key in keys:
        try:
            found[key] = asdict(client.look(key))
        except Exception as error:
            print(f"look at {key}: {type(error).__name__}: {error}", file=sys.stderr)
            break
    return found


if __name__ == "__main__":
    main(sys.argv[1])
