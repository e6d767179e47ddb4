"""Arrays on an embedded pool: by shared memory, whole, writable, each on its own, and nothing left."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import array_tasks as tasks
import numpy as np
import psutil
import pytest
import redis
from processes import is_alive, wait_until

from farpool import Executor
from farpool.embedded import LocalPool
from farpool_common.broker import ProducerBroker
from farpool_common.broker.replies import Question
from farpool_common.chunk import RUNNER, Chunk, decode_outcome, encode_chunk
from farpool_common.codec import Serializer
from farpool_common.errors import DecodeError, ResultExpiredError
from farpool_common.keys import Keys
from farpool_common.payload import Part
from farpool_common.shared import SharedFiles, SharedFolder
from farpool_common.task import NewTask

SUPPORT = Path(__file__).parent.parent / "support"
DEADLINE = 60.0
MEGABYTE = 125_000
"""Items of 8 bytes."""


@pytest.fixture(scope="module")
def pool(standing_pids: set[int]) -> Iterator[LocalPool]:
    with LocalPool([("one", 1), ("two", 1)], paths=[SUPPORT]) as found:
        yield found


@pytest.fixture
def executor(pool: LocalPool) -> Iterator[Executor]:
    with Executor(pool.url) as found:
        yield found


def bytes_received(pool: LocalPool) -> int:
    with redis.Redis.from_url(pool.url) as client:
        return int(client.info("stats")["total_net_input_bytes"])


def files_in(pool: LocalPool, *kinds: str) -> list[Path]:
    assert pool.server.folder is not None
    return [file for kind in kinds for file in (pool.server.folder.path / kind).iterdir()]


# --- what arrives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [10_000, MEGABYTE, 8 * MEGABYTE])
def test_arrays_pass_the_server_by_both_ways(pool: LocalPool, executor: Executor, length: int) -> None:
    array = np.arange(length, dtype=float)
    before = bytes_received(pool)
    found = executor.submit(tasks.doubled, array).result(DEADLINE)
    assert np.array_equal(found, array * 2)
    assert bytes_received(pool) - before < array.nbytes / 2
    found[:] = 0  # what arrives is writable


def test_every_result_stays_as_it_is_whatever_comes_later(executor: Executor) -> None:
    found = [executor.submit(tasks.filled, np.zeros(MEGABYTE), n).result(DEADLINE) for n in range(6)]
    found[3][:] = -1.0
    del found[1]  # its memory may be used again
    for n in range(20):
        executor.submit(tasks.filled, np.zeros(MEGABYTE), 100.0 + n).result(DEADLINE)
    assert [(array.min(), array.max()) for array in found] == [(n, n) for n in (0, 2, -1, 4, 5)]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_copy_of_the_client_neither_frees_nor_changes_its_arrays(executor: Executor) -> None:
    found = executor.submit(tasks.filled, np.zeros(MEGABYTE), 5.0).result(DEADLINE)
    pid = os.fork()
    if pid == 0:
        found[:] = -1.0
        del found
        os._exit(0)
    os.waitpid(pid, 0)
    for n in range(10):
        executor.submit(tasks.filled, np.zeros(MEGABYTE), 100.0 + n).result(DEADLINE)
    assert (found.min(), found.max()) == (5.0, 5.0)


def test_what_a_task_keeps_of_its_arguments_never_changes(executor: Executor) -> None:
    pids = [executor.submit(tasks.keep, np.full(MEGABYTE, float(n))).result(DEADLINE) for n in range(6)]
    for n in range(20):
        executor.submit(tasks.doubled, np.full(MEGABYTE, 100.0 + n)).result(DEADLINE)
    found: dict[int, list[tuple[float, float]]] = {}
    while found.keys() < set(pids):
        found.update([executor.submit(tasks.kept_ends).result(DEADLINE)])
    assert sorted(ends for kept in found.values() for ends in kept) == [(n, n) for n in range(6)]


def test_the_callers_array_is_not_the_tasks(executor: Executor) -> None:
    array = np.ones(MEGABYTE)
    assert executor.submit(tasks.filled, array, 7.0).result(DEADLINE).max() == 7.0
    assert array.max() == 1.0


def test_a_task_that_died_finds_its_arguments_unharmed(executor: Executor, tmp_path: Path) -> None:
    array = np.ones(MEGABYTE)
    assert executor.submit(tasks.spoil_and_die_once, array, str(tmp_path / "marker")).result(DEADLINE) == MEGABYTE


def test_more_results_than_may_be_mapped_and_many_in_one(executor: Executor) -> None:
    alone = list(executor.map(tasks.doubled, [np.full(40_000, float(n)) for n in range(300)]))
    (together,) = [executor.submit(tasks.several, 30, 40_000).result(DEADLINE)]
    assert [float(array[-1]) for array in alone] == [2.0 * n for n in range(300)]
    assert [float(array[-1]) for array in together] == list(range(30))


def test_what_is_over_or_cancelled_leaves_its_memory(pool: LocalPool) -> None:
    with Executor(pool.url) as executor:
        waiting = [executor.submit(tasks.total, np.ones(MEGABYTE)) for _ in range(40)]
        for future in waiting[10:]:
            future.cancel()
        for future in waiting:
            with suppress(Exception):
                future.result(DEADLINE)
        wait_until(lambda: files_in(pool, "arguments", "results") == [])


def test_an_idle_pool_gives_its_memory_back() -> None:
    with LocalPool([("one", 1)], paths=[SUPPORT]) as pool, Executor(pool.url) as executor:
        found = executor.submit(tasks.doubled, np.ones(MEGABYTE)).result(DEADLINE)
        assert files_in(pool, "kept") != []
        del found
        gc.collect()  # a task that is over may be part of a cycle
        wait_until(lambda: files_in(pool, "free", "kept") == [])


def test_a_client_that_cannot_enter_the_folder_gets_its_results_all_the_same(
    pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedFolder, "opened", lambda name: None)
    array = np.arange(MEGABYTE, dtype=float)
    before = bytes_received(pool)
    with Executor(pool.url) as executor:
        assert np.array_equal(executor.submit(tasks.doubled, array).result(DEADLINE), array * 2)
    assert bytes_received(pool) - before > 2 * array.nbytes


# --- what gets lost, and what is hostile --------------------------------------------------------------


class ByHand:
    """A producer that enqueues what it likes and reads when it likes."""

    def __init__(self, url: str) -> None:
        self.broker, self.reply = ProducerBroker(url, Keys()), ""
        self.broker.hosts("default")

    def send(self, function: str, array: Any, parts: list[Part] | None = None) -> list[Part]:
        encoded = encode_chunk(Chunk(f"array_tasks:{function}", rows=[[array]]))
        task_id = os.urandom(16).hex()
        self.reply = self.broker.keys.reply(task_id)
        parts = self.broker.store(task_id, encoded.buffers, "default") if parts is None else parts
        rows = [[part.key, part.nbytes, part.checksum] for part in parts]
        data = Serializer.dumps([RUNNER, None, [encoded.envelope, rows], {}])
        task = NewTask(id=task_id, data=data, description="", label="", reply=self.reply, parts=parts)
        self.broker.enqueue("default", [task])
        return parts

    def outcome(self) -> Any:
        """The value of the next call, or the name of its error."""
        (reply,) = self.broker.read_replies(Question(self.reply, "0"), 30_000)
        self.broker.ask_anew()
        self.broker.drop_reply(self.reply)
        outcome = decode_outcome(reply.envelope, self.broker.fetch(reply.parts))
        return outcome.failures[0].type_name.rpartition(":")[2] if outcome.failures else outcome.values[0]


@pytest.fixture
def by_hand(pool: LocalPool) -> Iterator[ByHand]:
    found = ByHand(pool.url)
    yield found
    found.broker.close()


def test_a_result_outlives_the_daemon_that_wrote_it() -> None:
    with LocalPool([("one", 1)], paths=[SUPPORT]) as pool:
        producer = ByHand(pool.url)
        producer.send("doubled", np.ones(MEGABYTE))
        with redis.Redis.from_url(pool.url) as client:
            wait_until(lambda: client.exists(producer.reply) == 1)
        (host,) = producer.broker.hosts("default")
        daemon = psutil.Process(host.pid)
        daemon.kill()
        wait_until(lambda: not is_alive(daemon))
        assert producer.outcome().sum() == 2 * MEGABYTE
        producer.broker.close()


def _spoiled(part: Part, folder: Path, how: str) -> Part:
    _, pool_name, name, _ = part.key.split(":")
    file = folder / "arguments" / name
    other = folder / "arguments" / ("f" * 32)
    other.unlink(missing_ok=True)
    match how:
        case "gone":
            file.unlink()
        case "longer":
            return Part(part.key, part.nbytes + 1, 0)
        case "beyond":
            return Part(f"{part.key[:-1]}9999999999999", part.nbytes, 0)
        case "link":
            other.symlink_to(file)
            return Part(f"shm:{pool_name}:{other.name}:0", part.nbytes, 0)
        case "pipe":
            os.mkfifo(other)
            return Part(f"shm:{pool_name}:{other.name}:0", part.nbytes, 0)
        case "folder":
            other.mkdir()
            return Part(f"shm:{pool_name}:{other.name}:0", 0, 0)
        case "another pool":
            return Part(f"shm:{'0' * 32}:{name}:0", part.nbytes, 0)
    return part


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("gone", "ResultExpiredError"),
        ("longer", "DecodeError"),
        ("beyond", "DecodeError"),
        ("link", "ResultExpiredError"),
        ("pipe", "DecodeError"),
        ("folder", "DecodeError"),
        ("another pool", "MemoryNotSharedError"),
    ],
)
def test_a_reference_that_names_something_else_fails_its_call_alone(
    pool: LocalPool, by_hand: ByHand, how: str, error: str
) -> None:
    assert pool.server.folder is not None
    array = np.ones(MEGABYTE)
    (part,) = by_hand.broker.store("spoiled", [memoryview(array).cast("B")], "default")
    spoiled = _spoiled(part, pool.server.folder.path, how)
    by_hand.send("total", array, [spoiled])
    assert by_hand.outcome() == error
    by_hand.send("total", array)
    assert by_hand.outcome() == MEGABYTE  # the daemon is well
    other = pool.server.folder.path / "arguments" / ("f" * 32)
    if other.is_dir():
        other.rmdir()
    by_hand.broker.drop_arguments([part])


def test_a_path_is_no_reference(pool: LocalPool, by_hand: ByHand) -> None:
    assert pool.server.folder is not None
    for name in ("../../etc/passwd", "x" * 32, "A" * 32, "/etc/passwd"):
        by_hand.send("total", np.ones(MEGABYTE), [Part(f"shm:{pool.server.folder.name}:{name}:0", 8 * MEGABYTE, 0)])
        assert by_hand.outcome() == "MalformedTaskError"


def test_a_reply_that_names_what_is_not_there_raises_a_typed_error(pool: LocalPool, by_hand: ByHand) -> None:
    assert pool.server.folder is not None
    with pytest.raises(ResultExpiredError):
        by_hand.broker.fetch([pool.server.folder.part("0" * 32, 0, 1)])
    with pytest.raises(DecodeError):
        by_hand.broker.fetch([Part(f"shm:{'0' * 32}:{'0' * 32}:0", 1, 0)])


# --- what is left -------------------------------------------------------------------------------------


def test_a_closed_pool_leaves_nothing_in_memory_and_arrays_stay() -> None:
    with LocalPool([("one", 1)], paths=[SUPPORT]) as pool, Executor(pool.url) as executor:
        found = executor.submit(tasks.doubled, np.ones(MEGABYTE)).result(DEADLINE)
        folder = pool.server.folder
    assert folder is not None
    assert not folder.path.exists()
    assert found.sum() == 2 * MEGABYTE


OWNER = f"""
import json, sys, time
sys.path.insert(0, {str(SUPPORT)!r})
import array_tasks as tasks
import numpy as np
from farpool import Executor
from farpool.embedded import LocalPool
pool = LocalPool([("one", 1)], paths=[{str(SUPPORT)!r}])
executor = Executor(pool.url)
found = executor.submit(tasks.doubled, np.ones({MEGABYTE})).result(60)
executor.submit(time.sleep, 60)
print(json.dumps(str(pool.server.folder.path)), flush=True)
time.sleep(60)
"""


def test_a_killed_owner_leaves_nothing_in_memory() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    folder = Path(json.loads(owner.stdout.readline()))
    assert folder.is_dir()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not folder.exists())


@pytest.fixture
def files() -> Iterator[SharedFiles]:
    folder = SharedFolder.created()
    assert folder is not None
    yield SharedFiles(folder)
    subprocess.run(["rm", "-rf", str(folder.path)], check=True)


def published(files: SharedFiles, content: bytes) -> list[Part]:
    written = files.written([memoryview(content)])
    assert written is not None
    name = files.publish(written.fd)
    os.close(written.fd)
    assert name is not None
    return [files.folder.part(name, 0, len(content))]


def test_memory_is_used_again_but_not_while_an_array_lies_on_it(files: SharedFiles) -> None:
    def contents() -> list[bytes]:
        return sorted(bytes(view[:1]) for view in views)

    views = [files.fetch(published(files, bytes([n]) * 500_000))[0] for n in range(3)]
    assert contents() == [b"\0", b"\1", b"\2"]
    inodes = {file.stat().st_ino for file in (files.folder.path / "kept").iterdir()}
    views.pop(1)
    views.append(files.fetch(published(files, b"\7" * 500_000))[0])
    assert contents() == [b"\0", b"\2", b"\7"]
    assert {file.stat().st_ino for file in (files.folder.path / "kept").iterdir()} == inodes
    files.free.remove("kept", 0.0)  # as if all had been there for ever: what is in use stays
    assert len(list((files.folder.path / "kept").iterdir())) == 3


def test_what_a_killed_process_held_is_removed(files: SharedFiles) -> None:
    parts = published(files, b"x" * 500_000)
    script = (
        "import sys; from farpool_common.shared import SharedFiles, SharedFolder; "
        "from farpool_common.payload import Part; "
        "view = SharedFiles(SharedFolder(sys.argv[1])).fetch([Part(sys.argv[2], 500_000, 0)]); "
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, files.folder.name, parts[0].key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        files.free.remove("kept", 0.0)
        assert len(list((files.folder.path / "kept").iterdir())) == 1
        process.kill()
    files.free.remove("kept", 0.0)
    assert list((files.folder.path / "kept").iterdir()) == []


def test_what_is_free_is_bounded(files: SharedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farpool_common.shared.free.MOST_BYTES", 1_200_000)
    for parts in [published(files, b"x" * 500_000) for _ in range(4)]:
        files.fetch(parts)
    assert len(list((files.folder.path / "free").iterdir())) == 2
