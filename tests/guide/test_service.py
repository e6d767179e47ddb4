"""The systemd unit of the last chapter starts a worker, and stops it as systemd would."""

import configparser
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from chapter import File, steps
from daemons import wait_for
from pages import ROOT
from terminals import JOINED

from farpool.embedded import Server

FILES = {step.name: step.text for step in steps(ROOT / "docs/guide/13-in-earnest.md") if isinstance(step, File)}


def unit() -> configparser.SectionProxy:
    found = configparser.RawConfigParser(comment_prefixes="#", inline_comment_prefixes=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's words have capitals
    found.read_string(FILES["farpool.service"])
    return found["Service"]


def environment() -> dict[str, str]:
    lines = [line for line in FILES["farpool.env"].splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_starts_a_worker_with_its_file_of_settings_and_stops_it_in_order(tmp_path: Path):
    service, password = unit(), tmp_path / "password"
    assert service["EnvironmentFile"] == "/etc/farpool.env"
    password.write_text("secret\n")
    with Server(password="secret") as server:
        url = server.url.replace(":secret@", "")
        environ = environment() | {"FARPOOL_URL": url, "FARPOOL_PASSWORD_FILE": str(password), "FARPOOL_SLOTS": "1"}
        here = {"/opt/farpool/bin/": f"{Path(sys.executable).parent}/", "/srv/project": str(tmp_path)}
        words = [word.replace("%H", socket.gethostname()) for word in shlex.split(service["ExecStart"])]
        for shown, real in here.items():
            words = [word.replace(shown, real) for word in words]
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(words, env=environ, stderr=log)
        try:
            wait_for(lambda: JOINED.search((tmp_path / "log").read_text()), (tmp_path / "log").read_text)
            assert f" {socket.gethostname()} INFO" in (tmp_path / "log").read_text()
        finally:
            worker.terminate()
            assert worker.wait(60) == 0


def test_the_unit_gives_a_worker_more_time_to_stop_than_the_worker_takes():
    assert int(unit()["TimeoutStopSec"]) > int(environment()["FARPOOL_DRAIN_SECONDS"])
