"""The machine: how many cores and how much memory may be used, and until when."""
