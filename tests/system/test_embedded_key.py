"""An embedded pool has a key of its own, so that what has no name travels to it at once."""

import os
import subprocess
import sys

import pytest
from daemons import SUPPORT

SCRIPT = SUPPORT / "embedded_script.py"
PRINTED = ["[5, 6, 7]", "[0, 5, 10]", "2", "1-2", "[]", "False"]


@pytest.fixture
def printed():
    """What a command prints that starts a pool of its own; it may have these variables besides."""

    def run(*command, **variables):
        names = ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL", "FARPOOL_KEY", "FARPOOL_KEY_FILE")
        environ = {name: value for name, value in os.environ.items() if name not in names} | variables
        done = subprocess.run(command, cwd=SUPPORT, env=environ, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_lambdas_travel_to_a_pool_of_this_process_without_any_key(printed):
    assert printed(sys.executable, str(SCRIPT)) == PRINTED


def test_they_travel_from_a_script_to_the_pool_around_it(printed):
    assert printed(sys.executable, "-m", "farpool", "run", "-c", "1", str(SCRIPT), "argument") == [*PRINTED, "argument"]


def test_the_users_own_key_holds_for_the_pool_too(printed):
    program = (
        "import farpool_common.address\nfarpool_common.address.DEFAULT_URL = 'redis://localhost:1/0'\n"
        "from farpool import Executor\n"
        "with Executor() as executor:\n"
        "    print(executor.submit(lambda: 7).result(), executor._session.server.key)\n"
    )
    assert printed(sys.executable, "-c", program, FARPOOL_KEY="u" * 43) == ["7 None"]


def test_the_key_of_a_pool_is_not_sent_to_other_servers(printed, host):
    program = (
        "import farpool_common.address\nfarpool_common.address.DEFAULT_URL = 'redis://localhost:1/0'\n"
        "from farpool import Executor, FunctionNotImportableError\n"
        "with Executor() as own, Executor('OTHER') as other:\n"
        "    print(own.submit(lambda: 7).result())\n"
        "    try:\n"
        "        other.submit(lambda: 7)\n"
        "    except FunctionNotImportableError:\n"
        "        print('refused')\n"
    )
    assert printed(sys.executable, "-c", program.replace("OTHER", host.url)) == ["7", "refused"]
