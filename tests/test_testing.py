"""check_grads finds what is wrong with a gradient, and nothing wrong with a good one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from adcompile import check_grads, grad, stop_gradient, value_and_grad
from adcompile import rules as words
from tests.registered import forgotten

X = np.linspace(-1.0, 2.0, 6).reshape(2, 3)


def f(x, p, k=2.0):
    return np.sum(np.exp(x) * p["w"]) * k


def f_grad(x, p, k=2.0):
    """By hand."""
    e = np.exp(x)
    return (
        (e * p["w"] * k).astype(x.dtype),
        {"w": (e * k).astype(p["w"].dtype)},
        float(np.sum(e * p["w"])),
    )


WRT = ("x", "p", "k")
ARGS = (X, {"w": X + 3}, 2.0)


def check(gradient, args=ARGS, **options):
    check_grads(f, args, WRT, gradient=gradient, **options)


def test_good_gradients():
    check(f_grad)
    check_grads(f, ARGS)
    check_grads(f, ARGS[:2], kwargs={"k": 3.0})
    check_grads(grad(f, "p"), ARGS)
    check_grads(value_and_grad(f, (0,)), ARGS)
    check_grads(f, ARGS, "k")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_floats(dtype):
    args = (X.astype(dtype), {"w": (X + 3).astype(dtype)}, 2.0)
    check(f_grad, args)


def test_numbers_and_scalars():
    square = lambda x: x * x * x
    for x in (2.0, np.float64(2.0), np.float32(2.0), np.array(2.0), 1e-5, 1e9, 0.0):
        check_grads(square, (x,))


def test_hard_numbers():
    check_grads(lambda x: np.log(x), (1e-3,))
    check_grads(lambda x: np.sum(np.sqrt(x)), (np.array([1e-2, 1e4]),))
    check_grads(lambda x: np.exp(x), (20.0,), atol=1e-2)


def test_has_aux():
    check_grads(lambda x: (x * x, "aux"), (2.0,), has_aux=True)


def test_empty_arrays():
    check_grads(lambda x: np.sum(x * x), (np.zeros((0, 3)),))


def wrong(change):
    def gradient(x, p, k=2.0):
        d_x, d_p, d_k = f_grad(x, p, k)
        return change(d_x, d_p, d_k)

    return gradient


def set_item(d, index, by):
    d = d.copy()
    d[index] += by
    return d


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda a, p, k: (set_item(a, (1, 2), 1e-3), p, k), r"1 of 6 elements.*`x\[1, 2\]`"),
        (lambda a, p, k: (2 * a, p, k), r"6 of 6 elements.*expected .*, got"),
        (lambda a, p, k: (a, {"w": -p["w"]}, k), r'`p\["w"\]\[1, 2\]`'),
        (lambda a, p, k: (a, p, k + 1), r"`k`: expected"),
        (lambda a, p, k: (a * np.nan, p, k), "got nan"),
        (lambda a, p, k: (a[:1], p, k), r"of shape \(1, 3\), expected .* of shape \(2, 3\)"),
        (lambda a, p, k: (a.astype(np.float32), p, k), "float32 of shape .*, expected .*float64"),
        (lambda a, p, k: (a.tolist(), p, k), "is list, expected ndarray"),
        (lambda a, p, k: (a, (p["w"],), k), "another structure: expected a dict"),
        (lambda a, p, k: (a, {"v": p["w"]}, k), "another structure"),
        (lambda a, p, k: (a, p, np.array([k])), "gradient of `k` is ndarray"),
    ],
)
def test_wrong_gradients(change, text):
    with pytest.raises(AssertionError, match=text):
        check(wrong(change))


def test_the_worst_element_is_named():
    off = np.zeros((2, 3))
    off[0, 1], off[1, 0] = 1e-3, 1e-1
    with pytest.raises(AssertionError, match=r"2 of 6 elements; the worst is `x\[1, 0\]`"):
        check(wrong(lambda a, p, k: (a + off, p, k)))


def test_arguments_that_are_changed():
    def gradient(x, p, k=2.0):
        result = f_grad(x, p, k)
        p["w"][0, 0] += 1
        return result

    with pytest.raises(AssertionError, match="the first call .* changed its arguments"):
        check(gradient, (X.copy(), {"w": X + 3}, 2.0))


def test_results_that_change():
    calls = []

    def gradient(x, p, k=2.0):
        calls.append(1)
        d_x, d_p, d_k = f_grad(x, p, k)
        return d_x * len(calls), d_p, d_k

    with pytest.raises(AssertionError, match="second call"):
        check(gradient)


def test_functions_that_write_into_their_arguments_are_evaluated_on_copies():
    def writes(x):
        x *= 2
        return np.sum(x * x)

    x = X.copy()
    check_grads(writes, (x,), 0, gradient=lambda x: 8 * x)
    assert np.array_equal(x, X)


def test_large_arrays_are_sampled():
    x = np.linspace(0, 1, 10_000)
    calls = []

    def g(x):
        calls.append(1)
        return np.sum(x * x)

    check_grads(g, (x,), 0, gradient=lambda x: 2 * x, samples=20)
    assert len(calls) == 1 + 4 * 20


def test_nothing_to_check():
    with pytest.raises(ValueError, match="no argument of floats"):
        check_grads(lambda x: x, (3,))


# --- modes and orders ---------------------------------------------------------------------------

BOTH = ("reverse", "forward")


@dataclass
class Layer:
    W: np.ndarray
    b: float
    name: str = "layer"


def network(layers, x, *scales, shift=0.5, **more):
    for layer, scale in zip(layers, scales):
        x = np.tanh(x @ layer.W + layer.b) * scale["by"] + shift
    return np.sum(x * x) * more["rate"]


LAYERS = [Layer(np.sin(np.arange(4.0).reshape(2, 2)), 0.3), Layer(np.eye(2), -0.2)]


def newton(x, n):
    y = 1.0
    for _ in range(n):
        y = y - (y * y - x) / (2 * y)
    return y * x


@pytest.mark.parametrize("order", [1, 2, 3])
def test_both_modes(order):
    check_grads(f, ARGS, modes=BOTH, order=order)
    check_grads(newton, (2.0, 4), modes=BOTH, order=order)
    check_grads(lambda x: (np.sum(x**3), "aux"), (X,), has_aux=True, modes=BOTH, order=order)


def test_arguments_of_every_kind():
    args = (LAYERS, np.ones((3, 2)), {"by": 0.7}, {"by": np.float64(0.4)})
    check_grads(network, args, kwargs={"shift": 0.1, "rate": 2.0}, modes=BOTH, order=2)


def test_forward_mode_alone():
    check_grads(f, ARGS, modes=("forward",), order=2)
    check_grads(f, (X.astype(np.float32), {"w": X.astype(np.float32)}), modes=("forward",))


def test_modes_that_do_not_exist():
    for modes in ((), ("backward",)):
        with pytest.raises(ValueError, match="modes are of"):
            check_grads(f, ARGS, modes=modes)


@pytest.fixture
def rules():
    """The words for rules; what a test registers with them is forgotten."""
    with forgotten():
        yield words


def test_modes_that_disagree(rules):
    """The tangent rule is wrong, the adjoint right; and the other way round."""

    def cubed(x):
        return x * x * x

    rules.adjoint(cubed)(lambda d_y, y, x: 3 * x * x * d_y)
    rules.tangent(cubed)(lambda d_x, y, x: 4 * x * x * d_x)
    loss = lambda x: np.sum(cubed(x))
    check_grads(loss, (X,))
    with pytest.raises(AssertionError, match=r"wrong derivative \(forward\) at 6 of 6 elements"):
        check_grads(loss, (X,), modes=("forward",))
    with pytest.raises(AssertionError, match=r"wrong derivative \(forward\)"):
        check_grads(loss, (X,), modes=BOTH)

    def squared(x):
        return x * x

    rules.tangent(squared)(lambda d_x, y, x: (2 + 1e-9) * x * d_x)
    rules.adjoint(squared)(lambda d_y, y, x: 2 * x * d_y)
    with pytest.raises(AssertionError, match="along a random direction forward mode gives"):
        check_grads(lambda x: np.sum(squared(x)), (X,), modes=BOTH)


def test_a_wrong_second_derivative(rules):
    """The first derivative is right where it is looked at, but it is not differentiated well."""

    def power(x):
        return x**4

    rules.elementwise(power, lambda y, x: 4 * stop_gradient(x) ** 3)
    loss = lambda x: np.sum(power(x))
    check_grads(loss, (X,), modes=BOTH)
    for mode in BOTH:
        with pytest.raises(AssertionError, match=rf"wrong derivative \({mode} over {mode}\)"):
            check_grads(loss, (X,), modes=(mode,), order=2)
