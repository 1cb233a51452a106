"""What the benchmark compares is right: by hand against finite differences, adcompile too.

Nothing here asserts a time: `python tests/bench/run.py` prints those, with the goals.
"""

from __future__ import annotations

import cProfile

import numpy as np
import pytest
from bench import by_hand, compile_time, modes, overhead, run
from bench.finite import assert_gradients
from bench.goals import check_agreement
from bench.programs import (
    Case,
    cases,
    chain_case,
    layer_case,
    mlp_case,
    rnn_case,
    rosenbrock_case,
    rosenbrock_loop_case,
    second_order_cases,
    small_cases,
    two_layers_case,
)

import adcompile
from adcompile.trees import leaves

SMALL = {case.program.__name__: case for case in small_cases()}


def gradient_by_hand(case: Case):
    result = getattr(by_hand, case.program.__name__)(*case.args)
    return result[1] if case.with_value else result


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_gradients_by_hand(case):
    gradient = gradient_by_hand(case)
    assert_gradients(case.program, case.args, case.wrt, gradient)
    if case.with_value:
        value, _ = getattr(by_hand, case.program.__name__)(*case.args)
        np.testing.assert_allclose(value, case.program(*case.args), rtol=1e-14)


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_generated_gradients(case):
    gradient = run.contenders(case, {})["adcompile"]()
    assert_gradients(
        case.program, case.args, case.wrt, gradient[1] if case.with_value else gradient
    )


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_agreement_at_full_size(case):
    candidates = run.contenders(case, {})
    check_agreement(candidates)
    hand, generated = (leaves(call()) for call in candidates.values())
    assert [(g.shape, g.dtype) for g in hand] == [(g.shape, g.dtype) for g in generated]


def test_float32_stays_float32():
    case = mlp_case(8, 5, 4, 3, np.float32)
    value, gradient = adcompile.value_and_grad(case.program)(*case.args)
    assert {leaf.dtype for leaf in [value, *leaves(gradient)]} == {np.dtype(np.float32)}


def test_gradients_of_the_overhead_programs():
    arrays = tuple(np.arange(3.0) + k for k in range(4))
    got = adcompile.grad(overhead.bare, wrt=(0, 1, 2, 3))(*arrays)
    assert_gradients(overhead.bare, arrays, (0, 1, 2, 3), got)
    params = (arrays[:2], arrays[2:])
    assert_gradients(overhead.tree, (params,), (0,), adcompile.grad(overhead.tree)(params))


def test_compiling_takes_linear_work():
    """Counted in calls of functions, which do not depend on what else the machine does."""
    short, long = (calls_while_compiling(n) for n in (80, 160))
    assert long / short < 2.2


def calls_while_compiling(length: int) -> int:
    program, x = compile_time.straight_line(length), np.ones(3)
    compile_time.compile_gradient(program, (x,))  # rules are compiled once
    with cProfile.Profile() as profile:
        compile_time.compile_gradient(program, (x,))
    return sum(function.callcount for function in profile.getstats())


@pytest.mark.parametrize("length", [5, 50])
def test_gradients_of_long_programs(length):
    program, x = compile_time.straight_line(length), np.array([0.3, -0.7])
    assert_gradients(program, (x,), (0,), adcompile.grad(program)(x))


# --- forward mode, Jacobians, second order ------------------------------------------------------

SECOND_ORDER = [
    mlp_case(5, 2, 4, 3, np.float64),
    rnn_case(4, 2, 3, 5),
    chain_case(6),
    rosenbrock_case(6),
    rosenbrock_loop_case(6),
]


@pytest.mark.parametrize("case", SECOND_ORDER, ids=lambda case: case.name)
def test_products_of_hessian_and_vector(case):
    """They are the gradient of the gradient's product with the vector."""
    candidates, v = modes.second_order(case), leaves(modes.direction(case))
    gradient = adcompile.grad(case.program, wrt=case.wrt)

    def along(*args):
        return sum(np.vdot(d, x) for d, x in zip(leaves(gradient(*args)), v, strict=True))

    for name in candidates.keys() & {"HVP", "by hand"}:
        assert_gradients(along, case.args, case.wrt, candidates[name]())
    _, tangent = candidates["JVP"]()
    np.testing.assert_allclose(tangent, along(*case.args), rtol=1e-12)


@pytest.mark.parametrize("case", second_order_cases(), ids=lambda case: case.name)
def test_second_order_at_full_size(case):
    candidates = modes.second_order(case)
    found = [(x.shape, x.dtype) for x in leaves(candidates["HVP"]())]
    assert found == [(x.shape, x.dtype) for x in leaves(candidates["gradient"]())]
    if "by hand" in candidates:
        check_agreement({name: candidates[name] for name in ("by hand", "HVP")})


@pytest.mark.parametrize("case", [layer_case(4), two_layers_case(5)], ids=lambda case: case.name)
def test_jacobians(case):
    check_agreement(modes.jacobians(case, {}), "adcompile")


@pytest.mark.parametrize("only", ["mlp 32", "rosenbrock 200", "layer 100"])
def test_table(only, capsys):
    run.main(["--rounds", "1", "--no-peers", "--only", only])
    assert only in capsys.readouterr().out


def test_importing_is_timed():
    assert len(compile_time.import_seconds(1)) == 1
