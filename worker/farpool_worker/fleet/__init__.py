"""This host among others: its lease, its place in the list of workers, what it takes over."""
