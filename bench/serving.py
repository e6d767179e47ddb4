"""The loop of a program that is told what to do by lines of JSON: see `bench.line_process`."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol


class Closable(Protocol):
    def close(self) -> None: ...


def serve(open_client: Callable[[], Closable], answer: Callable[[Any, dict[str, Any]], Any]) -> None:
    """Open the client and say so, answer each line of standard input with one on standard output, close it."""
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    client = open_client()
    try:
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            print(json.dumps(answer(client, json.loads(line))), file=answers)
    finally:
        client.close()
