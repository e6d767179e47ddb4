"""Finds whole requests and replies in a stream of the Redis protocol (RESP2 and RESP3)."""

LINES = (b"+", b"-", b":", b"_", b"#", b",", b"(")
BULKS = (b"$", b"!", b"=")
MAPS = (b"%", b"|")


def end_of(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the request or reply that begins at `at` ends; None while it is not complete."""
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        return None
    kind, after = data[at : at + 1], line_end + 2
    if kind in LINES:
        return after
    count = int(data[at + 1 : line_end])
    if kind in BULKS:
        end = after if count < 0 else after + count + 2
        return end if end <= len(data) else None
    for _ in range(max(0, 2 * count if kind in MAPS else count)):
        found = end_of(data, after)
        if found is None:
            return None
        after = found
    return after


def words_of(request: bytes | bytearray, most: int = 3) -> list[bytes]:
    """The first words of a request: its command and what follows."""
    words: list[bytes] = []
    at = request.find(b"\r\n") + 2
    while len(words) < most and at < len(request):
        line_end = request.find(b"\r\n", at)
        size = int(request[at + 1 : line_end])
        words.append(bytes(request[line_end + 2 : line_end + 2 + size]))
        at = line_end + 4 + size
    return words
