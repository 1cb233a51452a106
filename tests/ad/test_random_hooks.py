"""Random programs that are looked at: each hook sees the gradient of its variable, at each visit.

The gradient of a variable at a place is that of a number added to it there: `v += e[k]`. So the
program with a hook at each of some places is compared with the one that adds there, and counts.
"""

from __future__ import annotations

import random
import re

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adcompile import AdcompileError, NotDifferentiable, grad, gradient_of
from adcompile.ir.interpreter import run
from adcompile.ir.verifier import verify
from tests.ad.programs import Writer, load
from tests.ad.test_random import arguments

VISITS = 500
_ASSIGNED = re.compile(r"( *)((?:s|t\d+|v\d+)) [+-]?= ")


def written(text: str, lines: dict[int, list[str]]) -> str:
    """`text` with further lines behind some."""
    found = []
    for k, line in enumerate(text.splitlines()):
        indent = re.match(" *", line)[0]  # type: ignore[index]
        found += [line, *[indent + more for more in lines.get(k, ())]]
    return "\n".join(found) + "\n"


def places(text: str, seed: int) -> dict[int, str]:
    """Some lines of a program that assign a variable, and which."""
    rng = random.Random(seed)
    found = {k: _ASSIGNED.match(line) for k, line in enumerate(text.splitlines())}
    return {k: m[2] for k, m in found.items() if m is not None and rng.random() < 0.5}


def hooked(text: str, at: dict[int, str], *block: str) -> str:
    """The program with a hook at each of these places: `block`, or another one for a number."""
    number = [line for line in block if "[" not in line]
    lines = {
        k: [f"with gradient_of({name}) as g:"]
        + ["    " + line for line in (block if name.startswith("v") else number)]
        for k, name in at.items()
    }
    return written(text, lines)


def adding(text: str, at: dict[int, str]) -> str:
    """The program that adds to each variable there, a row of `e` at each visit."""
    lines = {
        k: [f"{name} += e[k]" if name.startswith("v") else f"{name} += e[k, 0]", "k += 1"]
        for k, name in at.items()
    }
    return written(text, lines).replace("(x, a):", "(x, a, e):\n    k = 0", 1)


def compiled(text: str, seed: int, wrt, *args):
    f = load(text, seed, gradient_of=gradient_of, seen=seen, ROW=np.arange(4), M=M)
    return grad(f, wrt=wrt).lower(*args)


seen: list = []
M = np.eye(4) + np.eye(4, k=-2)


def check_what_is_seen(seed: int, size: int) -> None:
    text = Writer(seed, size).text()
    at = places(text, seed)
    assume(at)
    looking = hooked(text, at, "seen.append(g)")
    x, a = arguments(seed)
    e = np.zeros((VISITS, 4))
    try:
        gradient = compiled(looking, seed, (0, 1), x, a)
        adjoints = compiled(adding(text, at), seed, "e", x, a, e)
    except NotDifferentiable:  # a variable that nothing reads any more
        assume(False)
    except AdcompileError as error:  # a write, which may go to one of two arrays; a hook does not
        assert "shares memory" in str(error), looking
        assume(False)
    verify(gradient.program)
    seen.clear()
    d_x, d_a = gradient.call(x, a)
    e_x, e_a = compiled(text, seed, (0, 1), x, a).call(x, a)
    np.testing.assert_allclose(d_x, e_x, rtol=1e-12, atol=1e-14, err_msg=looking)
    np.testing.assert_allclose(d_a, e_a, rtol=1e-12, atol=1e-14, err_msg=looking)
    expected = adjoints.call(x.copy(), a, e)
    for k, g in enumerate(reversed(seen)):
        row = expected[k] if np.ndim(g) else expected[k, 0]
        np.testing.assert_allclose(g, row, rtol=1e-10, atol=1e-13, err_msg=f"{k}:\n{looking}")
    assert not np.any(expected[len(seen) :]), looking
    first = list(seen)
    seen.clear()
    run(gradient.program, x, a)
    np.testing.assert_equal(seen, first, err_msg=looking)


def check_writes(seed: int, size: int) -> None:
    """To write into the gradient is to give it another one."""
    text = Writer(seed, size).text()
    at = places(text, seed)
    assume(at)
    writing = hooked(text, at, "g *= 0.5", "g[1] = 0.25", "g[2:] += g[:2]")
    other = hooked(text, at, "g = g * 0.5", "g = np.where(ROW[:] == 1, 0.25, g)", "g = M @ g[:]")
    x, a = arguments(seed)
    try:
        d_x, d_a = compiled(writing, seed, (0, 1), x, a).call(x, a)
    except NotDifferentiable:
        assume(False)
    e_x, e_a = compiled(other, seed, (0, 1), x, a).call(x, a)
    np.testing.assert_allclose(d_x, e_x, rtol=1e-12, atol=1e-14, err_msg=writing)
    np.testing.assert_allclose(d_a, e_a, rtol=1e-12, atol=1e-14, err_msg=writing)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 14))
def test_what_is_seen(seed, size):
    check_what_is_seen(seed, size)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(4, 14))
def test_writes(seed, size):
    check_writes(seed, size)
