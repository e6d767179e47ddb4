"""Several hosts on one machine: network namespaces on a bridge, each with an address and a link that can be harmed.

This process, in the namespace that all machines have, is on the bridge too.  Only root may do this.
"""

import subprocess
from enum import Enum
from itertools import count

NETWORKS = 250
"""So many may stand at once on a machine: each has 10.77.NUMBER.0/24."""


class Way(Enum):
    """What of a host's traffic gets lost.  GONE: the cable is out, as seen from the other end."""

    BOTH = ("INPUT", "OUTPUT")
    OUT = ("OUTPUT",)
    IN = ("INPUT",)
    GONE = ()


class Host:
    """One namespace with one link, `eth0`.  What runs there is started by `launcher`."""

    def __init__(self, bridge: str, number: int, address: str) -> None:
        self.address, self.namespace, self._port = address, f"{bridge}-{number}", f"{bridge}.{number}"
        run("ip", "netns", "add", self.namespace)
        self.launcher = ("nsenter", f"--net=/var/run/netns/{self.namespace}")
        run("ip", "link", "add", self._port, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "link", "set", self._port, "master", bridge, "up")
        self.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            self.run("ip", "link", "set", link, "up")

    def run(self, *command: str) -> None:
        """Run something on this host."""
        run(*self.launcher, *command)

    def cut(self, way: Way) -> None:
        """From now on packets vanish without a word to anybody."""
        if way is Way.GONE:
            run("ip", "link", "set", self._port, "down")
        for chain in way.value:
            self._drop(chain)

    def cut_from(self, other: "Host") -> None:
        """The same for what these two say to each other."""
        self._filter("-A", "INPUT", "-s", other.address, "-j", "DROP")
        self._filter("-A", "OUTPUT", "-d", other.address, "-j", "DROP")

    def heal(self) -> None:
        """All passes again."""
        self._filter("-F")
        run("ip", "link", "set", self._port, "up")

    def lose_some(self, share: float) -> None:
        """A share of the packets that arrive is lost."""
        self._drop("INPUT", "-m", "statistic", "--mode", "random", "--probability", str(share))

    def slow_down(self, kbit: int) -> None:
        """So many kbit/s each way; what has waited for longer than 0.4 s is dropped."""
        shape = ("root", "tbf", "rate", f"{kbit}kbit", "burst", "4kb", "latency", "400ms")
        self.run("tc", "qdisc", "add", "dev", "eth0", *shape)
        run("tc", "qdisc", "add", "dev", self._port, *shape)

    def unplug(self) -> None:
        """Take the link away for good."""
        run("ip", "link", "del", self._port)

    def close(self) -> None:
        """Remove link and namespace, whatever state they are in."""
        run("ip", "link", "del", self._port, may_fail=True)
        run("ip", "netns", "del", self.namespace)

    def _drop(self, chain: str, *match: str) -> None:
        self._filter("-A", chain, "-i" if chain == "INPUT" else "-o", "eth0", *match, "-j", "DROP")

    def _filter(self, *words: str) -> None:
        """By the kernel's newer interface; by the older one where that is all there is."""
        try:
            self.run("iptables", "-w", *words)
        except OSError:
            self.run("iptables-legacy", "-w", *words)


class Network:
    """A bridge, and the hosts that are connected to it."""

    def __init__(self) -> None:
        self._number = next(number for number in range(NETWORKS) if self._is_made(number))
        self.bridge = self._name(self._number)
        self._addresses = count(2)
        self.hosts: list[Host] = []
        self.address = self._address(1)
        run("ip", "addr", "add", f"{self.address}/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    def host(self) -> Host:
        """Connect another one."""
        number = next(self._addresses)
        self.hosts.append(Host(self.bridge, number, self._address(number)))
        return self.hosts[-1]

    def close(self) -> None:
        """Remove everything.  Raises when something of it is still there."""
        for host in self.hosts:
            host.close()
        ours = f"{self.bridge}-", f"{self.bridge}."
        left = [word for what in ("link", "netns") for word in _listed(what) if word.startswith(ours)]
        run("ip", "link", "del", self.bridge)  # last: then the name is free for another test process
        assert not left, f"left behind: {left}"

    def _is_made(self, number: int) -> bool:
        """A name that is taken belongs to another test process."""
        if f"{self._name(number)}:" in run("ip", "-o", "link"):
            return False
        return run("ip", "link", "add", self._name(number), "type", "bridge", may_fail=True) == ""

    def _name(self, number: int) -> str:
        return f"fp{number}n"

    def _address(self, host: int) -> str:
        return f"10.77.{self._number}.{host}"


def _listed(what: str) -> list[str]:
    return [part.rstrip(":") for part in run("ip", "-o", what).split()]


def run(*command: str, may_fail: bool = False) -> str:
    """What a command says; what went wrong if it `may_fail`.  Raises OSError with that text otherwise."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout + done.stderr
