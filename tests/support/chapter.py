"""What a chapter of the guide asks its reader to do, step by step.

A block of code that begins with a comment that is a file's name, `# waves.py`, is a file to write.  A block of the
language `console` is what terminals show: prompts (`$`, or `host1$` on another host), commands, and what they print.
`...` in that stands for anything, alone in its line for any lines.  The lines may come in another order where the
paragraph before the block says "in any order".
"""

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"(?:#|//|<!--) ([\w./-]+\.\w+)\b.*\n")
PROMPT = re.compile(r"(\w*)\$ (.+)")


@dataclass(frozen=True)
class File:
    """A file that the reader writes into the project's folder."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """What the reader types at a terminal, and the lines that are shown below it."""

    terminal: str
    text: str
    shown: tuple[str, ...]
    any_order: bool


def steps(page: Path) -> list[File | Command]:
    """A chapter's steps in their order.  Every block of code is one, or the test fails here."""
    found: list[File | Command] = []
    text, end = page.read_text(), 0
    for block in BLOCK.finditer(text):
        paragraph = text[end : block.start()].rstrip().rpartition("\n\n")[2]
        end = block.end()
        language, body = block.groups()
        if language == "console":
            found += _commands(body, any_order="in any order" in paragraph)
        else:
            named = FILE_NAME.match(body)
            assert named, (
                f"{page.name}: a block of {language or 'nothing'} names no file, so nobody would run it:\n{body}"
            )
            found.append(File(named[1], body))
    return found


def _commands(body: str, *, any_order: bool) -> list[Command]:
    found: list[tuple[str, str, list[str]]] = []
    for line in body.replace("\\\n", "").splitlines():
        if typed := PROMPT.fullmatch(line):
            found.append((*typed.groups(), []))
        else:
            assert found, f"a console block begins with {line!r} instead of a prompt"
            found[-1][2].append(line)
    return [Command(terminal, text, tuple(shown), any_order) for terminal, text, shown in found]


def mismatch(command: Command, printed: str) -> str | None:
    """Why what was printed is not what the chapter shows, or None."""
    if command.any_order:
        fits = _fits_in_any_order(command.shown, printed.splitlines())
    else:
        fits = re.fullmatch(_pattern(command.shown), printed) is not None
    shown = "\n".join(command.shown)
    return None if fits else f"{command.text}\n--- the guide shows\n{shown}\n--- printed was\n{printed}"


def _pattern(shown: tuple[str, ...]) -> str:
    return "".join(r"(?:.*\n)*" if line.strip() == "..." else _line_pattern(line) + r"\n" for line in shown)


def _line_pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split("...")))


def _fits_in_any_order(shown: tuple[str, ...], printed: list[str]) -> bool:
    left = list(printed)
    for line in sorted(shown, key=lambda line: "..." in line):  # those that fit one line only come first
        found = next((other for other in left if re.fullmatch(_line_pattern(line), other)), None)
        if found is None:
            return False
        left.remove(found)
    return not left
