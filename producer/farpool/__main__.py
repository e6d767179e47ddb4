"""`python -m farpool`: the command line without its script."""

from farpool.cli import main

if __name__ == "__main__":
    main(prog_name="farpool")
