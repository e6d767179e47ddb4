"""One module per system: its tasks and its client.  Each is imported only in that system's own environment."""
