"""What `farpool up` refuses before it starts anything."""

import socket
from pathlib import Path

from click.testing import CliRunner

from farpool.cli import main


def test_a_taken_port_is_a_configuration_error_that_names_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["up", "--port", str(port)])
    assert result.exit_code == 78
    assert f"127.0.0.1:{port}" in result.stderr
    assert "--port" in result.stderr


def test_others_may_reach_it_only_with_a_password(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["up", "--port", str(_free_port()), "--bind", "0.0.0.0"])
    assert result.exit_code == 78
    assert "needs a password" in result.stderr


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    result = CliRunner().invoke(main, ["up", "--port", str(_free_port()), "--password-file", str(file)])
    assert result.exit_code == 78
    assert "no password" in result.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
