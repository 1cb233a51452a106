"""What the compiler needs in a process with threads.

Derivatives may be called from several threads at once, but one thread compiles at a time: the
caches of the compiler are shared, and in CPython 3.11 a second thread that makes a syntax tree
meanwhile is a SystemError ("AST constructor recursion depth mismatch").

Functions that are tried on samples warn. `warnings.catch_warnings` would silence other threads too,
and where two overlap, the one that ends last would leave the filters of the process as the other
had changed them.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

__all__ = ["COMPILING", "quiet"]

COMPILING = threading.RLock()  # held while a derivative is compiled, or a source is parsed

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


class _Here:
    """In place of the pattern of a filter: any warning, if it is given inside `quiet`."""

    pattern = r"(?!)"  # for who reads the filters of the process: nothing

    def match(self, text: str) -> bool:
        return _quiet.get()


_FILTER: Any = ("ignore", _Here(), Warning, None, 0)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from what this thread does inside."""
    if getattr(sys.flags, "context_aware_warnings", False):  # an option from Python 3.14 on
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    filters: Any = warnings.filters
    filters.insert(0, _FILTER)
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
        with suppress(ValueError):  # another thread has emptied it
            filters.remove(_FILTER)
