"""A web application whose requests are computed by many hosts: uvicorn web_app:app (pip install starlette uvicorn).

farpool worker -P examples                 # on each host
curl 'http://localhost:8000/primes?to=1000'
curl 'http://localhost:8000/health'        # is answered at once, whatever else runs
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from farpool import Executor


def is_prime(number: int) -> bool:
    """What workers compute."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """One executor for the whole application, opened and closed in a thread: both may wait for the server."""
    app.state.executor = await asyncio.to_thread(Executor)
    yield
    await asyncio.to_thread(app.state.executor.shutdown)


async def primes(request: Request) -> JSONResponse:
    """One call for each number; the loop serves other requests until all are here."""
    to = int(request.query_params.get("to", "1000"))
    submit = request.app.state.executor.submit
    answers = await asyncio.gather(*(submit(is_prime, number) for number in range(to)))
    return JSONResponse({"calls": to, "primes": sum(answers)})


async def health(request: Request) -> JSONResponse:
    """Needs no worker."""
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/primes", primes), Route("/health", health)], lifespan=lifespan)
