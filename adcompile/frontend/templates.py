"""What Python's functions do with an iterable, as plain loops.

Each is compiled where it is called: its loop runs over whatever the program gave, with the clauses
of a generator expression written into it. Names from this module are constants in there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["added", "put"]


def added(total: Any, item: Any) -> Any:
    """`total + item`, where a total that is nothing yet is left out."""
    raise TypeError("this is compiled and never called")


def put(made: Any, item: Any) -> None:
    """Put what a comprehension gives into a dict or a set."""
    raise TypeError("this is compiled and never called")


# --- collecting ---------------------------------------------------------------------------------


def list_(iterable):
    items = []
    for item in iterable:
        items.append(item)
    return items


def dict_(iterable, made):
    for item in iterable:
        put(made, item)
    return made


# --- adding up ----------------------------------------------------------------------------------


def sum_(iterable, total):
    for item in iterable:
        total = added(total, item)
    return total


def prod_(iterable, total):
    for item in iterable:
        total = total * item
    return total


def reduce_(iterable, function, total):
    for item in iterable:
        total = function(total, item)
    return total


def accumulate_(iterable, function, total, totals):
    for item in iterable:
        total = function(total, item)
        totals.append(total)
    return totals


# --- questions, answered as soon as possible ----------------------------------------------------


def any_(iterable):
    found = False
    for item in iterable:
        if item:
            found = True
            break
    return found


def all_(iterable):
    found = True
    for item in iterable:
        if not item:
            found = False
            break
    return found


# --- ordering -----------------------------------------------------------------------------------


def best_(iterable, key, better, best):
    """`best` is the first of all; `iterable` runs over the others."""
    height = key(best)
    for item in iterable:
        other = key(item)
        if better(other, height):
            best = item
            height = other
    return best


def order_(items, keys):
    order = np.argsort(np.array(keys), kind="stable")
    return [items[i] for i in order]


def order_reversed_(items, keys):
    order = np.argsort(np.array(keys)[::-1], kind="stable")
    last = len(keys) - 1
    return [items[last - i] for i in order[::-1]]


def extend_(iterable, items):
    for item in iterable:
        items.append(item)


# --- functions ----------------------------------------------------------------------------------


def partial_(function, first, named):
    return lambda *args, **kwargs: function(*first, *args, **{**named, **kwargs})
