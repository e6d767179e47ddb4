"""`python -m bench.peers install [NAME ...]` makes the environments; without words it tells what there is."""

import sys
from collections.abc import Sequence

from bench.environments import install, is_installed
from bench.peers.systems import PEERS


def main(words: Sequence[str]) -> int:
    """Install the named peers, or all."""
    if words[:1] == ["install"] and set(words[1:]) <= set(PEERS):
        for name in words[1:] or PEERS:
            install(PEERS[name])
        return 0
    for peer in PEERS.values():
        state = "" if is_installed(peer) else f"  (python -m bench.peers install {peer.name})"
        print(f"{peer.name:10} {peer.title}{state}")
    return 0 if not words else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
