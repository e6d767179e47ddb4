"""Tables in pages of the docs that programs write."""

from pathlib import Path

BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"


def put_table(page: Path, table: str) -> None:
    """Put the table between the page's two marks, or into a new page."""
    text = page.read_text() if page.exists() else BEGIN + END
    before, _, rest = text.partition(BEGIN)
    page.write_text(before + BEGIN + table + END + rest.partition(END)[2])
