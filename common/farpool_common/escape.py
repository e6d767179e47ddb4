"""Untrusted text made safe to print: in logs, on terminals, in error messages.

Names, descriptions and tracebacks come from whoever can write to Redis.  Printed as they are, they can
clear a terminal, forge a log line or turn the reading direction around.
"""

LIMIT = 500
"""Characters of input that are shown by default (guess: a long line, still one screen)."""


def printable(text: str | bytes, limit: int = LIMIT) -> str:
    r"""The text on one line, with nothing in it that a terminal obeys.

    Control characters become `\xNN`, others that do not print (bidi marks, U+2028, lone surrogates,
    invisible ones) `\uNNNN`; a backslash stays as it is.  Beyond `limit` characters it is cut, and says so.
    """
    if isinstance(text, bytes):
        # A character has at most four bytes: this much fills the limit and shows that it is passed.
        whole, text = len(text), text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    else:
        whole = len(text)
    shown = text if len(text) <= limit else text[:limit]
    if not shown.isprintable():
        shown = "".join(each if each.isprintable() else _escaped(ord(each)) for each in shown)
    return shown if len(text) <= limit else f"{shown}... ({whole:,} in all)"


def readable(text: str | bytes) -> str:
    """Text of several lines with nothing in it that a terminal obeys, but for line ends and tabs."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(printable(cell, len(cell)) for cell in line.split("\t")) for line in lines)


def _escaped(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
