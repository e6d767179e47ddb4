"""A chunk is a job that RQ's own worker can run."""

import shutil

import numpy as np
import pytest
from rq import Queue, SimpleWorker

from farpool_common.broker import Payloads, StoredObjects
from farpool_common.chunk import RUNNER, Chunk, decode_outcome, encode_chunk
from farpool_common.codec import Serializer, decode
from farpool_common.keys import Keys
from farpool_common.runner import run_chunk
from farpool_common.shared import SharedFiles, SharedFolder
from farpool_common.stored_results import Ownership, read_description


def _run(client, chunk):
    """Run a chunk by RQ; its outcomes."""
    encoded = encode_chunk(chunk)
    return _enqueued(client, encoded, Payloads(client, Keys(), "the test's server").store("task", encoded.buffers))


def _enqueued(client, encoded, parts):
    rows = [[part.key, part.nbytes, part.checksum] for part in parts]
    queue = Queue("chunks", connection=client, serializer=Serializer)
    job = queue.enqueue(RUNNER, encoded.envelope, rows)
    SimpleWorker([queue], connection=client, serializer=Serializer).work(burst=True)
    return job


def _outcomes(job):
    for item in job.return_value():
        envelope, *buffers = [item] if isinstance(item, bytes) else item
        yield decode_outcome(envelope, [memoryview(bytearray(buffer)) for buffer in buffers])


def test_rq_runs_a_chunk_and_each_call_keeps_its_outcome(client):
    (outcome,) = _outcomes(_run(client, Chunk("pool_tasks:add", rows=[[1], ["x"], [3, 4]])))
    assert list(outcome.values) == [2, None, 7]
    assert outcome.failures[1].type_name == "builtins:TypeError"


def test_slow_calls_all_run(client):
    outcomes = list(_outcomes(_run(client, Chunk("pool_tasks:pause", rows=[[0.003]] * 5))))
    assert [value for outcome in outcomes for value in outcome.values] == [0.003] * 5
    assert [outcome.first for outcome in outcomes] == list(range(5))


def test_large_arrays_reach_rq_and_come_back(client):
    array = np.arange(50_000.0)
    (outcome,) = _outcomes(_run(client, Chunk("pool_tasks:doubled", rows=[[array]])))
    assert np.array_equal(outcome.values[0], array * 2)


def test_a_limit_holds_in_rq_too(client):
    (outcome,) = _outcomes(_run(client, Chunk("pool_tasks:spin", rows=[[]], limit=0.2)))
    assert outcome.failures[0].type_name.endswith(":TaskTimeoutError")


def test_a_chunk_that_cannot_be_prepared_fails_as_a_job(client):
    job = _run(client, Chunk("no_such_module:f", rows=[[]]))
    assert job.get_status().value == "failed"
    assert "No module named 'no_such_module'" in job.latest_result().exc_string


def test_large_arguments_need_a_job():
    with pytest.raises(RuntimeError, match="inside an RQ worker"):
        run_chunk(b"", [["rq:farpool:data:x", 1, 1]])


def test_rq_reads_arguments_in_memory_that_it_shares_and_says_so_when_it_cannot(client):
    folder = SharedFolder.created()
    chunk = Chunk("pool_tasks:echo", rows=[[np.arange(100_000)]])
    encoded = encode_chunk(chunk)
    parts = SharedFiles(folder).store(encoded.buffers)
    (outcome,) = _outcomes(_enqueued(client, encoded, parts))
    assert outcome.values[0].sum() == sum(range(100_000))
    shutil.rmtree(folder.path)
    assert "MemoryNotSharedError" in _enqueued(client, encoded, parts).latest_result().exc_string


def test_results_that_stay_on_the_server_are_described(client):
    chunk = Chunk("pool_tasks:add", rows=[[1], ["x"], [3, 4]], ownership=Ownership("owner", 60))
    (outcome,) = _outcomes(_run(client, chunk))
    assert outcome.failures.keys() == {1}
    objects = StoredObjects(client, Keys(), "the test's server")
    for place, value in ((0, 2), (2, 7)):
        object_id, _ = read_description(outcome.values[place])
        envelope, *buffers = objects.fetch(object_id)
        assert decode(envelope, buffers) == value
        assert client.smembers(Keys().owners(object_id)) == {b"owner"}
