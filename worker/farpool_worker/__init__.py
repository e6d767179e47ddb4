"""The worker daemon: claims tasks on one host and fans them out to a pool of processes."""
