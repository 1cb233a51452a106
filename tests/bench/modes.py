"""The tables of forward mode, Jacobians and second order.

A product of Hessian and vector is compared with the gradient, a JVP with the program itself, a
Jacobian with as many calls of a pullback as it has rows, and Hessians with those of other
frameworks.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from bench import by_hand, peers
from bench.goals import Goal, check_agreement
from bench.programs import Case, hessian_cases, jacobian_cases, second_order_cases
from bench.timing import ratio, side_by_side

import adcompile
from adcompile.trees import leaves, map_leaves

HVP_GOAL = 4.0  # over the gradient, for each program
JVP_GOAL = 3.0  # over the program, for each
PULLBACKS_GOAL = 5.0  # over the Jacobian

Candidates = dict[str, Callable[[], Any]]


def tables(only: str, others: Iterable[str], rounds: int) -> list[Goal]:
    """All tables, for cases whose name contains `only`, beside those of `others` that have them."""
    second, jacobians, hessians = (
        [case for case in found if only in case.name]
        for found in (second_order_cases(), jacobian_cases(), hessian_cases())
    )
    goals = second_order_table(second, rounds) if second else []
    goals += jacobian_table(jacobians, others, rounds) if jacobians else []
    goals += hessian_table(hessians, others, rounds) if hessians else []
    return goals


def second_order_table(chosen: list[Case], rounds: int) -> list[Goal]:
    print("\nJVP as a multiple of the program, Hessian times vector as one of the gradient")
    print(f"{'':40}{'program':>12}{'JVP':>8}{'gradient':>14}{'HVP':>8}{'by hand':>10}")
    jvps: dict[str, float] = {}
    hvps: dict[str, float] = {}
    for case in chosen:
        candidates = second_order(case)
        if "by hand" in candidates:
            check_agreement({k: candidates[k] for k in ("by hand", "HVP")})
        times = side_by_side(candidates, rounds)
        jvps[case.name] = ratio(times["JVP"], times["program"])
        hvps[case.name] = ratio(times["HVP"], times["gradient"])
        program, gradient = (
            statistics.median(times[name]) * 1e6 for name in ("program", "gradient")
        )
        print(f"{case.name:40}{program:>9.1f} µs{jvps[case.name]:>8.2f}", end="")
        print(f"{gradient:>11.1f} µs{hvps[case.name]:>8.2f}", end="")
        hand = ratio(times["by hand"], times["gradient"]) if "by hand" in times else None
        print("" if hand is None else f"{hand:>10.2f}", flush=True)
    slow, slower = (max(ratios, key=ratios.__getitem__) for ratios in (jvps, hvps))
    return [
        (
            jvps[slow] <= JVP_GOAL,
            f"a JVP takes {jvps[slow]:.2f} times as long as {slow} (at most {JVP_GOAL:g})",
        ),
        (
            hvps[slower] <= HVP_GOAL,
            f"an HVP takes {hvps[slower]:.2f} gradients of {slower} (at most {HVP_GOAL:g})",
        ),
    ]


def second_order(case: Case) -> Candidates:
    """The program, its gradient, its JVP and its HVP; the latter by hand, too, where there is one.

    All are with respect to the same parameters, and the latter two in the same direction.
    """
    program, args, wrt = case.program, case.args, _wrt(case)
    gradient, jvp, hvp = (
        t(program, wrt=wrt) for t in (adcompile.grad, adcompile.jvp, adcompile.hvp)
    )
    v = direction(case)
    candidates: Candidates = {
        "program": lambda: program(*args),
        "gradient": lambda: gradient(*args),
        "JVP": lambda: jvp(args, v),
        "HVP": lambda: hvp(args, v),
    }
    hand = getattr(by_hand, f"{program.__name__}_hvp", None)
    return candidates if hand is None else {**candidates, "by hand": lambda: hand(*args, v)}


def direction(case: Case) -> Any:
    """A tangent for what `case` is differentiated with respect to."""
    normal = np.random.default_rng(1).standard_normal
    made = tuple(
        map_leaves(lambda x: np.asarray(normal(np.shape(x)), np.asarray(x).dtype)[()], case.args[k])
        for k in case.wrt
    )
    return made[0] if len(made) == 1 else made


def jacobian_table(chosen: list[Case], others: Iterable[str], rounds: int) -> list[Goal]:
    print("\ntime as a multiple of the Jacobian")
    found = {name: make for name, make in peers.JACOBIANS.items() if name in others}
    rows: dict[str, dict[str, float]] = {}
    for case in chosen:
        candidates = jacobians(case, found)
        check_agreement(candidates, "adcompile")
        rows[case.name] = _row(case.name, candidates, rounds)
    slow = min(rows, key=lambda name: rows[name]["pullbacks"])
    text = f"pullbacks row by row take {rows[slow]['pullbacks']:.1f} times as long as the Jacobian"
    return [
        (rows[slow]["pullbacks"] >= PULLBACKS_GOAL, f"{text}, {slow} (at least {PULLBACKS_GOAL:g})")
    ]


def jacobians(case: Case, others: Mapping[str, Callable[[Case], Any]]) -> Candidates:
    jacobian = adcompile.jacobian(case.program, wrt=_wrt(case))
    vjp = adcompile.vjp(case.program, wrt=_wrt(case))

    def by_pullbacks() -> np.ndarray:
        value, pullback = vjp(*case.args)
        return np.stack([pullback(row) for row in np.eye(value.size)])

    return {
        "adcompile": lambda: jacobian(*case.args),
        "pullbacks": by_pullbacks,
        **{name: make(case) for name, make in others.items()},
    }


def hessian_table(chosen: list[Case], others: Iterable[str], rounds: int) -> list[Goal]:
    print("\ntime as a multiple of the Hessian")
    found = {name: make for name, make in peers.HESSIANS.items() if name in others}
    goals: list[Goal] = []
    for case in chosen:
        candidates = hessians(case, found)
        check_agreement({k: _matrix(case, call) for k, call in candidates.items()}, "adcompile")
        row = _row(case.name, candidates, rounds)
        for name in found:
            text = f"the Hessian of {case.name} by {name} takes {row[name]:.1f} times as long"
            goals.append((row[name] > 1, f"{text} (more than 1)"))
    return goals


def hessians(case: Case, others: Mapping[str, Callable[[Case], Any]]) -> Candidates:
    hessian = adcompile.hessian(case.program, wrt=_wrt(case))
    return {
        "adcompile": lambda: hessian(*case.args),
        **{name: make(case) for name, make in others.items()},
    }


def _matrix(case: Case, call: Callable[[], Any]) -> Callable[[], Any]:
    """A Hessian by a tree as a matrix, with the elements of all leaves in a row."""
    sizes = [np.size(x) for x in leaves(case.args[case.wrt[0]])]

    def matrix() -> Any:
        blocks = [np.asarray(x) for x in leaves(call())]
        if len(blocks) == 1:
            return blocks[0]
        shapes = [(m, n) for m in sizes for n in sizes]
        flat = [x.reshape(shape) for x, shape in zip(blocks, shapes, strict=True)]
        count = len(sizes)
        return np.block([flat[k : k + count] for k in range(0, len(flat), count)])

    return matrix


def _row(name: str, candidates: Candidates, rounds: int) -> dict[str, float]:
    """Print the times of all candidates as multiples of that of adcompile."""
    times = side_by_side(candidates, rounds)
    row = {k: ratio(ts, times["adcompile"]) for k, ts in times.items() if k != "adcompile"}
    print(f"{name:40}{statistics.median(times['adcompile']) * 1e6:>9.1f} µs", end="")
    print("".join(f"{f'{k} {multiple:.1f}':>17}" for k, multiple in row.items()), flush=True)
    return row


def _wrt(case: Case) -> int | tuple[int, ...]:
    return case.wrt[0] if len(case.wrt) == 1 else case.wrt
