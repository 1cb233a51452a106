"""How programs are collected with their arguments."""

import numpy as np


def cases():
    """An empty collection, and a decorator that puts a program there with its arguments."""
    found = {}

    def case(*args):
        def add(f):
            found[f] = args
            return f

        return add

    return found, case


def some(*shape):
    return np.sin(np.arange(1.0, 1 + np.prod(shape))).reshape(shape)
