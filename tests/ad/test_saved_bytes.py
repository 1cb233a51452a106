"""What is held between the sweeps, in bytes, against what an expert would keep.

The generated text is cut where its first backward loop starts, and returns the tapes that are there
by then. A number counts as 8 bytes; of an array counts the memory that it keeps alive, once.
"""

from __future__ import annotations

import ast
import tracemalloc

import numpy as np
import pytest

from adcompile import grad
from tests.ad import inplace


def saved_bytes(f, args, wrt) -> int:
    compiled = grad(f, wrt=wrt).lower(*args)
    namespace = dict(compiled.call.__globals__)
    tree = ast.parse(compiled.source)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    at, tapes = _cut(function.body)
    if not tapes:
        return 0
    values = ast.List([ast.Name(name, ast.Load()) for name in tapes], ast.Load())
    function.body[at:] = [ast.Return(values)]
    exec(compile(ast.fix_missing_locations(tree), "cut", "exec"), namespace)
    passed = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    return _size(namespace[function.name](*passed))


def _cut(body: list[ast.stmt]) -> tuple[int, list[str]]:
    """Where the first loop over a tape stands, and the tapes that are read from there on."""
    tapes: dict[str, None] = {}
    first = len(body)
    for k, stmt in enumerate(body):
        if isinstance(stmt, ast.For) and _is_reversed(stmt.iter):
            first = min(first, k)
            (items,) = stmt.iter.args  # type: ignore[attr-defined]
            if isinstance(items, ast.Name):
                tapes[items.id] = None
    return first, list(tapes)


def _is_reversed(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reversed"


def _size(items: object) -> int:
    owners: dict[int, np.ndarray] = {}
    numbers = 0
    work = [items]
    while work:
        x = work.pop()
        if isinstance(x, list | tuple):
            work.extend(x)
        elif isinstance(x, np.ndarray):
            while isinstance(x.base, np.ndarray):
                x = x.base
            owners[id(x)] = x
        elif x is not None:
            numbers += 1
    return 8 * numbers + sum(x.nbytes for x in owners.values())


rng = np.random.default_rng(0)
positive = (lambda B: B @ B.T + 10.0 * np.eye(10))(rng.normal(size=(10, 10)))
n, steps = 10, 7
line = np.sin(np.arange(100.0))
bodies = line[:8].reshape(4, 2), line[8:16].reshape(4, 2), line[:4], 3
pairs = sum(k * k for k in range(n))  # (i, j) below and right of each k


def descent(w, x, y, rate, count):
    for _ in range(count):
        w = w - rate * (x.T @ (x @ w - y))
    return np.sum((x @ w - y) ** 2)


CASES = [
    # Linear in u0: nothing at all. For k, one Laplacian a step.
    (inplace.heat, (line, 0.1, steps), 0, 0),
    (inplace.heat, (line, 0.1, steps), 1, steps * 98 * 8),
    (inplace.gauss_seidel, (positive, positive, 3), (0, 1), 0),
    # Whether E, H and eps are equally long shows only when they meet: one size a step.
    (inplace.fdtd, (line, line, line + 3.0, steps), (0, 1), steps * 8),
    # Two factors of each product, and the indices of what is left of a tape.
    (inplace.lu, (positive,), 0, 8 * (3 * pairs + 4 * n * n)),
    (inplace.cholesky, (positive,), 0, 8 * (3 * n**3 / 6 + 5 * n * n)),
    (inplace.back_substitution, (positive, line[:10]), (0, 1), 8 * (n * n / 2 + 4 * n)),
    (inplace.param, (line,), 0, 0),
    (inplace.prefix, (0.5, 0.8, line), (0, 1, 2), 8 * 2 * 99),
    # A cell: three costs, their exponentials and the sum, where it is.
    (inplace.soft_edit_distance, (line[:8], line[:9], 0.7), (0, 1), 8 * 9 * 8 * 9),
    # A pair: where it is, the distance, its square, the power, the force; and where a body is.
    (inplace.leapfrog, bodies, (0, 1), 8 * 3 * (12 * (1 + 2 + 1 + 1 + 2) + 4)),
    (inplace.histogram, (np.abs(line), line, 5), 1, 8 * 100),
    (inplace.mergesort_swap, (line[:10],), 0, 8 * 45),
    # What the rate is multiplied by; x.T is the same in every step.
    (descent, (line[:2], line[:20].reshape(10, 2), line[:10], 0.1, steps), 3, steps * 2 * 8),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[2]}")
def test_no_more_is_saved_than_by_hand(case):
    f, args, wrt, limit = case
    assert saved_bytes(f, args, wrt) <= limit


def test_elements_are_read_and_written_without_arrays():
    """No array is made or copied inside a loop over elements: the work is linear."""
    for f in (inplace.prefix, inplace.gauss_seidel, inplace.lu, inplace.swap, inplace.nested2):
        text = grad(f).lower(*inplace.CASES[f]).source
        loops = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.For)]
        for node in (node for loop in loops for node in ast.walk(loop)):
            called = (
                node.func.attr
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                else ""
            )
            assert called in ("", "append"), text


def test_peak_memory_of_a_long_loop():
    """Nothing but the tape grows with the number of steps."""
    u, steps = np.sin(np.arange(1000.0)), 2000
    gradient = grad(inplace.heat, wrt=(0, 1))
    gradient(u, 0.1, 2)
    tracemalloc.start()
    try:
        gradient(u, 0.1, steps)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 1.2 * steps * 998 * 8
