"""Several threads that compile at once, and the warnings of the process meanwhile."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adcompile import grad
from adcompile.frontend import source
from adcompile.ir.infer import samples
from adcompile.threads import quiet
from tests.ad.programs import load

VAR = """
def f(x):
    return np.sum(np.var(x, axis=0) * {k})
"""


@pytest.fixture
def often() -> Iterator[None]:
    """Threads give way to each other all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(*work: Callable[[], Any]) -> list[BaseException]:
    """What was raised in threads that do all of this at once."""
    begin, raised = threading.Barrier(len(work)), []

    def run(one: Callable[[], Any]) -> None:
        begin.wait()
        try:
            one()
        except BaseException as e:
            raised.append(e)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return raised


def program(k: int) -> Callable[..., Any]:
    """A function in a long file of its own."""
    text = VAR.format(k=k) + "".join(f"\n\ndef g{i}(x):\n    return x + {i}\n" for i in range(300))
    return load(text)


@pytest.mark.usefixtures("often")
def test_other_programs_are_compiled_meanwhile():
    functions = [program(k) for k in range(8)]
    source._parsed.clear()
    samples._run_cached.cache_clear()
    filters, before = warnings.filters, list(warnings.filters)
    x, found = np.array([[1.0, 2.0], [3.0, 5.0]]), {}

    def compile_one(k: int) -> None:
        found[k] = grad(functions[k])(x)

    assert not in_threads(*[lambda k=k: compile_one(k) for k in range(8)])
    for k in range(8):
        assert np.allclose(found[k], k * np.array([[-1.0, -1.5], [1.0, 1.5]]), rtol=1e-15)
    assert warnings.filters is filters and list(filters) == before


# --- quiet --------------------------------------------------------------------------------------


def warn() -> None:
    warnings.warn("it is late", UserWarning, stacklevel=1)


def test_quiet_is_for_one_thread():
    inside, outside = threading.Event(), threading.Event()

    def in_quiet() -> None:
        with quiet():
            warn()
            inside.set()
            outside.wait()
            warn()

    def elsewhere() -> None:
        inside.wait()
        try:
            warn()
        finally:
            outside.set()

    raised = in_threads(in_quiet, elsewhere)
    assert [type(e) for e in raised] == [UserWarning]


def test_quiet_leaves_the_filters_as_they_were():
    before = list(warnings.filters)
    with quiet():
        warn()
        with quiet():
            warn()
        warn()
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="it is late"):
        warn()
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert list(warnings.filters) == before


def test_quiet_overlaps_with_who_changes_the_filters():
    """A copy of the filters that is taken inside may stay: it silences nobody."""
    one = quiet()
    one.__enter__()
    other = warnings.catch_warnings()
    other.__enter__()
    one.__exit__(None, None, None)
    with pytest.raises(UserWarning):
        warn()
    with quiet():
        warnings.resetwarnings()
        warnings.simplefilter("error")
    with pytest.raises(UserWarning):
        warn()
    other.__exit__(None, None, None)
    with pytest.raises(UserWarning):
        warn()
