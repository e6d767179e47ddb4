"""Other systems on the same work: `python -m bench.peers install huey`, then `python -m bench w1 --peers huey`."""
