"""The protocol in plain Python: what the server should have after each step, and what must always be true of it."""
