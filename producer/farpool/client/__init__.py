"""What an executor runs: one sender and one listener, the connection between them, and its upkeep."""
