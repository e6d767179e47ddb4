"""Takes long to be imported."""

import time

time.sleep(0.2)


def answer():
    return 42
