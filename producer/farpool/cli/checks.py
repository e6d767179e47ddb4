"""The checks of `farpool doctor`: each is one line with a verdict."""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import redis

from farpool.cli.overview import Overview, look
from farpool_common.address import Address
from farpool_common.broker import balance, check_server, connect, translated
from farpool_common.broker.connection import text
from farpool_common.broker.sentinels import primary_of
from farpool_common.errors import FarpoolError
from farpool_common.escape import printable
from farpool_common.keys import Keys
from farpool_worker.host.slots import usable_slots

PINGS = 100
SLOW_MS = 5.0
"""A round trip above this makes small tasks wait for the network (guess)."""


@dataclass(frozen=True)
class Check:
    """What was looked at, the verdict, and what was found."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    found: str


def checks(address: Address, keys: Keys) -> Iterator[Check]:
    """All checks, in the order in which they depend on each other."""
    yield Check("address", "ok", f"{address.masked} (from {address.source})")
    client = connect(address.url)
    try:
        yield from _server_checks(client, address, keys)
    finally:
        client.close()
    yield Check("this machine", "ok", str(usable_slots()))


def _server_checks(client: redis.Redis, address: Address, keys: Keys) -> Iterator[Check]:
    try:
        with translated(address.masked):
            info = client.info()
    except FarpoolError as error:
        yield Check("server", "fail", printable(str(error)))
        return
    if (primary := primary_of(client)) is not None:
        yield Check("primary", "ok", f"{primary[0]}:{primary[1]}, say the sentinels")
    yield _suitable(client, address)
    yield _persistence(info)
    yield _memory(info)
    try:
        yield _latency(client, address)
        yield from _hosts(look(client, keys, address))
        yield _books(client, keys, address)
        yield _quarantine(client, keys, address)
    except FarpoolError as error:
        yield Check("server", "fail", printable(str(error)))


def _suitable(client: redis.Redis, address: Address) -> Check:
    """Version and eviction policy, by the rule that workers go by."""
    try:
        kind = check_server(client, address.masked)
    except FarpoolError as error:
        return Check("server", "fail", printable(str(error)))
    return Check("server", "ok", f"{kind}, maxmemory-policy noeviction")


def _persistence(info: dict[str, Any]) -> Check:
    if str(info.get("aof_enabled")) == "1":
        written = str(info.get("aof_last_write_status", "ok"))
        if written != "ok":
            return Check("persistence", "fail", f"the append-only file cannot be written ({printable(written)})")
        return Check("persistence", "ok", "append-only file")
    return Check("persistence", "warn", "no append-only file: a restart of the server loses tasks (appendonly yes)")


def _memory(info: dict[str, Any]) -> Check:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most == 0:
        return Check("memory", "ok", f"{used / 1e6:,.0f} MB used, no limit set")
    verdict: Literal["ok", "warn"] = "warn" if used > 0.8 * most else "ok"
    return Check("memory", verdict, f"{used / 1e6:,.0f} of {most / 1e6:,.0f} MB used")


def _latency(client: redis.Redis, address: Address) -> Check:
    """The median of many PINGs; the first one, which connects, is left out."""
    with translated(address.masked):
        client.ping()
        times_ms = [_ping_ms(client) for _ in range(PINGS)]
    median = statistics.median(times_ms)
    verdict: Literal["ok", "warn"] = "warn" if median > SLOW_MS else "ok"
    return Check("latency", verdict, f"{median:.2f} ms (median of {PINGS} PINGs), slowest {max(times_ms):.2f} ms")


def _ping_ms(client: redis.Redis) -> float:
    started = time.perf_counter()
    client.ping()
    return (time.perf_counter() - started) * 1000


def _quarantine(client: redis.Redis, keys: Keys, address: Address) -> Check:
    """Records that workers could not read, the newest with its reason."""
    with translated(address.masked):
        total, newest = client.hget(keys.counters, "quarantined"), client.lindex(keys.quarantine, 0)
    if not newest:
        return Check("quarantine", "ok", "no malformed records")
    try:
        entry = json.loads(newest)
        told = f"{entry['id']} on queue {entry['queue']}: {entry['reason']}"
    except (ValueError, TypeError, KeyError):
        told = str(newest)
    count = text(total or b"?")
    return Check("quarantine", "warn", printable(f"{count} malformed records so far, the newest {told}"))


def _books(client: redis.Redis, keys: Keys, address: Address) -> Check:
    """Whether every lease is accounted for."""
    found = balance(client, keys, address.masked)
    if found.missing:
        return Check("books", "warn", f"{found}, {found.missing:+,} unaccounted for: were jobs or keys deleted?")
    return Check("books", "ok", f"{found}; {found.stale:,} stale results refused, {found.dropped:,} ids dropped")


def _hosts(found: Overview) -> Iterator[Check]:
    slots = sum(host.slots for host in found.hosts)
    if found.hosts:
        shown = ", ".join(f"{printable(host.name, 40)} ({host.slots})" for host in found.hosts[:10])
        more = f" and {len(found.hosts) - 10} more" if len(found.hosts) > 10 else ""
        yield Check("hosts", "ok", f"{len(found.hosts)} with {slots} slots: {shown}{more}")
    else:
        yield Check("hosts", "warn", "none listens. Start one with: farpool worker -u URL")
    served = {name for host in found.hosts for name in host.queues}
    for queue in found.queues:
        if queue.waiting and queue.name not in served:
            text = f"{queue.waiting:,} waiting, and no host of farpool serves it"
            yield Check(f"queue {printable(queue.name, 40)}", "warn", text)
