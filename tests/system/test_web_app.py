"""A web handler that awaits a thousand calls, and the loop that serves others meanwhile."""

import asyncio
from pathlib import Path

import httpx
import pytest
from daemons import daemons

from farpool_common.broker import connect

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch):
    """The example as a program imports it."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import web_app

    return web_app.app


@pytest.fixture
def url(server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that no worker serves yet."""
    monkeypatch.setenv("FARPOOL_URL", server.url)
    return server.url


def test_the_loop_serves_other_requests_while_a_thousand_calls_are_awaited(app, url, tmp_path):
    answered = asyncio.run(_answers(app, url, tmp_path))
    assert answered == {"calls": 1000, "primes": 168}


async def _answers(app, url, tmp_path):
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        request = asyncio.create_task(web.get("/primes?to=1000"))
        with connect(url) as client:
            while not client.llen("rq:queue:default"):
                await asyncio.sleep(0)
        # All calls are submitted and none can end, for nobody serves the queue: the loop is free all the same.
        for _ in range(20):
            assert (await web.get("/health")).json() == {"ok": True}
        assert not request.done()
        with daemons(url, tmp_path, "host1", options=("-c", "2", "-P", str(EXAMPLES))):
            return (await request).json()
