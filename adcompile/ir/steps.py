"""Walks over nested blocks that need no recursion: programs may be nested deeply."""

from __future__ import annotations

from collections.abc import Iterator

Steps = Iterator["Steps"]  # a walk, as a generator that hands over what is to be walked first


def run(walk: Steps) -> None:
    """Run a walk, and those that it hands over before it goes on."""
    stack = [walk]
    while stack:
        inner = next(stack[-1], None)
        if inner is None:
            stack.pop()
        else:
            stack.append(inner)
