"""`python -m farpool_worker`: the daemon without the rest of the command line."""

from farpool_worker.cli import main

if __name__ == "__main__":
    main()
