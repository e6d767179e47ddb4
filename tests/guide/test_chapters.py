"""Every block of every chapter of docs/guide runs, in its order, on real daemons, and prints what the chapter shows."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from chapter import Command, File, steps
from pages import ROOT
from restartable import RestartableServer
from terminals import Terminals
from tls_front import certificate, tls_front

GUIDE = ROOT / "docs/guide"
CHAPTERS = sorted(GUIDE.glob("[0-9]*.md"))
SERVER, WEB = "queue.example.org:6379", "8000"
EARNEST, SECURE = "valkey.example.org:6379", "valkey.example.org:6380"
"""The server that the last chapter starts itself, and TLS in front of it."""


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    """A reader's terminals, and a server that all hosts reach."""
    (tmp_path / "server").mkdir()
    port, web, earnest = free_ports(3)
    with ExitStack() as undo:
        undo.callback(RestartableServer(tmp_path / "server", port=port).kill)
        secure = undo.enter_context(tls_front(*certificate(tmp_path, "valkey.example.org"), earnest))
        places = {SERVER: f"127.0.0.1:{port}", EARNEST: f"127.0.0.1:{earnest}", SECURE: f"localhost:{secure}"}
        places |= {"port 6379": f"port {earnest}", f"port {WEB}": f"port {web}", f":{WEB}": f":{web}"}
        found = Terminals(tmp_path, places)
        shutil.copy(tmp_path / "cert.pem", found.folder / "authority.pem")
        undo.callback(found.kill)
        yield found


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses."""
    with ExitStack() as undo:
        sockets = [undo.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [found.getsockname()[1] for found in sockets]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda page: page.stem)
def test_a_reader_who_follows_the_chapter_sees_what_it_shows(chapter: Path, terminals: Terminals):
    todo = steps(chapter)
    for step, following in zip(todo, [*todo[1:], None], strict=True):
        if isinstance(step, File):
            terminals.write(step.name, step.text)
        else:
            terminals.type(step, following.text if isinstance(following, Command) else "")
    terminals.close()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda page: page.stem)
def test_every_file_of_a_chapter_is_used(chapter: Path):
    todo = steps(chapter)
    for at, file in enumerate(todo):
        if isinstance(file, File):
            stem = Path(file.name).stem
            used = [step for step in todo[at + 1 :] if isinstance(step, Command) and stem in step.text]
            read = [step for step in todo if isinstance(step, File) and step is not file and stem in step.text]
            assert used or read, f"{file.name} is neither run nor imported nor read"


def test_the_index_lists_every_chapter_by_its_title():
    titles = [f"[{page.read_text().partition(chr(10))[0].removeprefix('# ')}]({page.name})" for page in CHAPTERS]
    index = (GUIDE / "README.md").read_text()
    assert [title for title in titles if title not in index] == []
    assert "docs/guide/README.md" in (ROOT / "README.md").read_text()
