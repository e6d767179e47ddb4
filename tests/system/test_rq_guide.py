"""Every command and program of docs/rq.md runs."""

import os
import subprocess
import sys
from pathlib import Path

import redis
from daemons import wait_for
from pages import blocks

GUIDE = "docs/rq.md"
SHOP = "def count_words(text):\n    return len(text.split())\n"


def shop(folder: Path) -> Path:
    (folder / "shop.py").write_text(SHOP)
    return folder


def run(words: list[str], folder: Path, url: str) -> str:
    """What a command prints; workers get `--burst`, so that they end."""
    if "worker" in words:
        words = [*words, "--burst"]
    module = {"rq": "rq.cli"}.get(words[0], words[0])
    environ = os.environ | {"RQ_REDIS_URL": url, "FARPOOL_URL": url, "FARPOOL_SLOTS": "1", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", module, *words[1:]]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 75), done.stderr
    return done.stdout


def enqueue(url: str, program: str, folder: Path) -> str:
    """Run the guide's program, or what a shop had before it, and return the id of its job."""
    program = program.replace("Redis()", f"Redis.from_url({url!r})") + "\nprint(job.id)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_each_step_and_each_way_back_runs_the_jobs_of_its_time(server, tmp_path):
    rq, farpool, pool_worker, doctor, strict, stock = (block.split() for block in blocks(GUIDE, "sh"))
    (msgpacked,) = blocks(GUIDE, "python")
    pickled = msgpacked.replace(", serializer=farpool.Serializer", "")
    folder, url = shop(tmp_path), server.url
    with redis.Redis.from_url(url) as client:

        def status(job_id: str) -> str:
            return client.hget(f"rq:job:{job_id}", "status").decode()

        for command, program in [
            (rq, pickled), (farpool, pickled), (farpool, msgpacked), (pool_worker, pickled), (pool_worker, msgpacked),
            (strict, msgpacked), (stock, msgpacked),
        ]:  # fmt: skip
            job_id = enqueue(url, program, folder)
            run(command, folder, url)
            wait_for(lambda job_id=job_id: status(job_id) == "finished", lambda command=command: " ".join(command))
        late = enqueue(url, pickled, folder)
        assert "pickle" in run(doctor, folder, url)
        run(strict, folder, url)
        assert status(late) == "failed"
        run(["rq", "requeue", "--queue", "default", "--all"], folder, url)
        run(farpool, folder, url)
        assert status(late) == "finished"
