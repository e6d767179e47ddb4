"""A connection of our own that ends under its reader."""

import pytest

from farpool.embedded import Server
from farpool_common.broker import connect
from farpool_common.broker.line import Line
from farpool_common.errors import ServerUnreachableError


def test_a_reader_whose_connection_another_thread_closed_sees_an_outage(server: Server) -> None:
    with connect(server.url) as client:
        line = Line(client, server.url)
        line.send([("PING",)])
        with pytest.raises(ServerUnreachableError):
            line.answers(meanwhile=line.close)
        assert line.call("PING") == b"PONG"
        line.close()
