"""The command group: help without heavy imports, errors as one line and an exit code."""

import resource
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from farpool.cli import group, main
from farpool.cli.group import COMMANDS
from farpool_common.errors import (
    FarpoolError,
    ServerBusyError,
    ServerRefusedError,
    ServerUnreachableError,
    ServerUnsuitableError,
    SettingsError,
    told,
)


def test_help_shows_every_command_and_imports_neither_redis_nor_numpy_nor_rq() -> None:
    code = """
import sys
from farpool.cli import main
try:
    main(["--help"])
finally:
    print("imported:", sorted({name.partition(".")[0] for name in sys.modules} & {"redis", "numpy", "rq", "msgpack"}))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "imported: []" in shown
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in shown
        assert text in shown


def test_help_takes_less_than_150_ms_of_a_processor() -> None:
    def seconds_of_help() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "farpool", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert (
        min(seconds_of_help() for _ in range(3)) < 0.15
    )  # 0.04 measured; others slow it down, hence the best of three


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")


def test_the_version_is_shown() -> None:
    assert "version 0." in CliRunner().invoke(main, ["--version"]).output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["wroker"]).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServerUnreachableError("no"), 69),
        (ServerBusyError("no"), 69),
        (ServerRefusedError("no"), 77),
        (ServerUnsuitableError("no"), 78),
        (SettingsError("no"), 78),
        (FarpoolError("no"), 1),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(monkeypatch: pytest.MonkeyPatch, error: FarpoolError, code: int) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(group.Commands, "get_command", lambda *_: broken)
    result = CliRunner().invoke(main, ["broken"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"farpool: {told(error)}\n", "")
    assert len(result.stderr.splitlines()) == 1
