"""A script whose functions travel by value; its only argument is the server."""

import sys

from farpool import Executor

FACTOR = 3


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def times(self, x):
        return self.factor * x

    @classmethod
    def named(cls, x):
        return cls.__name__, x


def tripled(x):
    return FACTOR * helper(x)


def helper(x):
    return x


if __name__ == "__main__":
    with Executor(sys.argv[1]) as executor:
        print(executor.submit(tripled, 2).result())
        print(executor.submit(Scale(5).times, 2).result())
        print(executor.submit(Scale.named, 2).result())
        print(list(executor.map(lambda x: x + FACTOR, range(4), chunksize="auto")))
