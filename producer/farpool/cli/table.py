"""Columns of plain text."""

from collections.abc import Sequence

from farpool_common.escape import printable

WIDEST = 60


def table(titles: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Lines with aligned columns: numbers to the right, text to the left and made printable."""
    cells = [list(titles), *([_cell(each) for each in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    to_the_right = [bool(rows) and isinstance(each, int) for each in (rows[0] if rows else titles)]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_the_right, strict=True)
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(value, WIDEST)
