"""What the daemon does with tasks: claim, hold, hand out, and tell how they ended."""
