"""A link does the harm that is asked for, and no other; nothing of a network is left."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import lines, wait_for
from namespaces import Host, Network, Way, run

PORT = 9

ECHO = f"""
import contextlib, socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    here.bind(("0.0.0.0", {PORT}))
    open(sys.argv[1], "w").close()
    while True:
        data, sender = here.recvfrom(100)
        with open(sys.argv[1], "ab") as journal:
            journal.write(data + b"\\n")
        with contextlib.suppress(PermissionError):  # a dropped answer; senders over TCP hear nothing of it
            here.sendto(data, sender)
"""


class Echo:
    """A program on a host that notes what arrives, and answers."""

    def __init__(self, host: Host, journal: Path) -> None:
        self.host, self.journal, self._sent = host, journal, 0
        self.process = subprocess.Popen([*host.launcher, sys.executable, "-c", ECHO, str(journal)])
        wait_for(journal.exists)

    def passes(self) -> tuple[bool, bool]:
        """Whether a packet arrives, and whether its answer does."""
        self._sent += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.settimeout(0.5)
            here.sendto(str(self._sent).encode(), (self.host.address, PORT))
            try:
                is_answered = bool(here.recv(100))
            except TimeoutError:
                is_answered = False
        return str(self._sent) in lines(self.journal), is_answered


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    network = Network()
    found = Echo(network.host(), tmp_path / "journal")
    yield found
    found.process.kill()
    found.process.wait()
    network.close()


@pytest.mark.parametrize(
    ("way", "passes"),
    [
        (Way.BOTH, (False, False)),
        (Way.IN, (False, False)),
        (Way.OUT, (True, False)),
        (Way.GONE, (False, False)),
    ],
)
def test_a_cut_stops_what_it_names_until_it_is_healed(echo, way, passes):
    assert echo.passes() == (True, True)
    echo.host.cut(way)
    assert echo.passes() == passes
    echo.host.heal()
    wait_for(lambda: echo.passes() == (True, True))  # a link that comes up takes a moment


def test_a_lossy_link_loses_some_and_a_slow_one_nothing(echo):
    echo.host.slow_down(200)
    assert [echo.passes() for _ in range(10)] == [(True, True)] * 10
    echo.host.lose_some(0.5)
    arrived = sum(echo.passes()[0] for _ in range(20))
    assert 0 < arrived < 20  # outside it by chance: twice in a million runs


def test_nothing_is_left_of_a_network_whose_hosts_still_run_something(tmp_path):
    network = Network()
    echo = Echo(network.host(), tmp_path / "journal")
    network.host().unplug()
    network.close()
    assert network.bridge not in run("ip", "-o", "link") + run("ip", "netns")
    echo.process.kill()
    echo.process.wait()
