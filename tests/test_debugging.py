"""`debug(numerics=True)`: what it reports, word for word, and what it does not.

`python tests/test_debugging.py` writes `tests/data/numerics.txt` anew; read the difference.
"""

from __future__ import annotations

import asyncio
import copy
import linecache
import sys
import threading
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np
import pytest
from gallery.programs import pairs

import adcompile
from adcompile import (
    NumericsError,
    SignatureError,
    debug,
    elementwise_grad,
    grad,
    gradient_of,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    trees,
    value_and_grad,
    vjp,
)
from adcompile.optim import SGD, Adam, AdamW
from adcompile.optim.training import train_step
from tests.ad import everyday, writes
from tests.ad.test_everyday import floats

GOLDEN = Path(__file__).parent / "data" / "numerics.txt"
A = np.array

# Name: the program, which defines f, and what is called.
CASES = {
    "sqrt of 0, backward": (
        "def f(x):\n    y = np.sqrt(x)\n    return np.sum(y)",
        "grad(f)(A([1.0, 0.0, 4.0]))",
    ),
    "log of a negative number, forward": (
        "def f(x):\n    y = np.log(x - 1)\n    return np.sum(y * y)",
        "grad(f)(A([[1.5, 3.0], [0.5, 0.25]]))",
    ),
    "0 / 0": (
        "def f(x):\n    return np.sum(x / (x @ x))",
        "value_and_grad(f)(np.zeros(2))",
    ),
    "overflow of exp": (
        "def f(x):\n    return np.sum(np.exp(x))",
        "grad(f)(A([1.0, 1000.0]))",
    ),
    "overflow that becomes NaN later on": (
        "def f(x):\n    e = np.exp(x)\n    return np.sum(e / np.sum(e))",
        "value_and_grad(f)(A([1.0, 1000.0]))",
    ),
    "overflow of float32": (
        "def f(x):\n    y = x * x\n    return np.sum(y * x)",
        "grad(f)(A([1.0, 1e25], np.float32))",
    ),
    "overflow of a cast": (
        "def f(x):\n    y = (x * x).astype(np.float32)\n    return np.sum(y * y)",
        "value_and_grad(f)(A([1.0, 1e25]))",
    ),
    "overflow of an assignment": (
        "def f(x):\n    y = np.zeros(2, np.float32)\n    y[1:] = x\n    return np.sum(y)",
        "value_and_grad(f)(A([1e300]))",
    ),
    "overflow of a sum": ("def f(x):\n    return x.sum()", "value_and_grad(f)(A([1e308, 1e308]))"),
    "integers and keywords": (
        "def f(x, n):\n    return np.sum(np.mean(x, axis=0, keepdims=True) ** n)",
        "value_and_grad(f)(np.zeros((2, 3)), -2)",
    ),
    "NaN made of infinities that are meant": (
        "def f(x):\n    scores = np.where(x > 5.0, x, -np.inf)\n"
        "    shifted = scores - np.max(scores)\n    return np.sum(np.exp(shifted))",
        "value_and_grad(f)(np.ones(3))",
    ),
    "in a loop": (
        "def f(x, n):\n    h = x\n    for i in range(n):\n        h = h * h * 10.0\n"
        "    return np.sum(h)",
        "value_and_grad(f)(A([1.0, 0.01]), 20)",
    ),
    "in a loop, backward": (
        "def f(x, cs):\n    h = x\n    for c in cs:\n        h = np.sqrt(h - c) + 1.0\n"
        "    return np.sum(h)",
        "grad(f)(np.ones(2), A([0.0, 2.0, 0.0]))",
    ),
    "in a loop without a name": (
        "def f(x):\n    for _ in range(5):\n        x = np.log(x)\n    return np.sum(x * x)",
        "grad(f)(A([3.0, 20.0]))",
    ),
    "in loops": (
        "def f(xs, n):\n    s = 0.0\n    for x in xs:\n        for k in range(n):\n"
        "            s += np.log(x - k)\n    return s",
        "value_and_grad(f)(A([3.5, 2.5, 2.0]), 3)",
    ),
    "in a while loop": (
        "def f(x):\n    n = 0\n    while n < 3:\n        x = np.log(x)\n        n += 1\n"
        "    return x.sum()",
        "value_and_grad(f)(A([2.0, 20.0]))",
    ),
    "in a helper": (
        "def norm(v):\n    return np.sqrt(np.sum(v * v))\n"
        "def f(x):\n    return norm(x) + norm(x - 1.0)",
        "grad(f)(np.ones(2))",
    ),
    "in a function that calls itself": (
        "def g(x, n):\n    if n == 0:\n        return x\n    return np.log(g(x, n - 1))\n"
        "def f(x, n):\n    return np.sum(g(x, n))",
        "value_and_grad(f)(A([3.0, 2.0]), 4)",
    ),
    "backward, in a function that calls itself": (
        "def g(x, n):\n    if n == 0:\n        return x\n    return np.sqrt(g(x, n - 1))\n"
        "def f(x, n):\n    return np.sum(g(x, n))",
        "grad(f)(A([3.0, 0.0]), 2)",
    ),
    "in a training step": (
        "def f(params, x):\n    return np.sum(np.log(x @ params['W'] + params['b']))",
        "train_step(f, Adam(P))(A([[1.0, 2.0], [0.0, 0.0]]))",
    ),
    "in the update of a training step": (
        "def f(params, x):\n    return np.sum(x @ params['W'] + params['b'])",
        "train_step(f, SGD(P, lr=1e160))(A([[1.0, 1e160], [0.0, 0.0]]))",
    ),
    "in a pullback": (
        "def f(x):\n    return np.sqrt(x)",
        "vjp(f)(A([1.0, 0.0]))[1](A([2.0, 3.0]))",
    ),
    "in a tangent": ("def f(x):\n    return np.sqrt(x)", "jvp(f)((A([1.0, 0.0]),), (np.ones(2),))"),
    "in a second derivative": (
        "def f(x):\n    return np.sum(x ** 1.5)",
        "hvp(f)((A([1.0, 0.0]),), np.ones(2))",
    ),
    "through a mask": (
        "def f(x):\n    return np.sum(np.where(x >= 0, np.log(x), 0.0))",
        "value_and_grad(f)(A([-1.0, 0.0, 1.0]))",
    ),
    "beside a mask": (
        "def f(x):\n    y = np.log(x)\n    return np.sum(np.where(x > 0, y * np.exp(x), 0.0))",
        "value_and_grad(f)(A([-1.0, 1.0, 1000.0]))",
    ),
    "a decision": (
        "def f(x):\n    y = np.log(x[0])\n    while not y > 3.0:\n        y = y + 1.0\n"
        "    return y * x[1]",
        "grad(f)(A([-1.0, 2.0]))",
    ),
    "integers made of it": (
        "def f(x):\n    steps = np.log(x).astype(int)\n    return np.sum(x * steps)",
        "grad(f)(A([-1.0, 3.0]))",
    ),
    "an exception": (
        "def f(x):\n    y = np.log(x[0])\n    return x[int(y)] * y",
        "value_and_grad(f)(A([-1.0, 1.0]))",
    ),
    "not for the program to handle": (
        "def f(x):\n    try:\n        y = np.log(x)\n        if y[0] > 0.0:\n"
        "            y = y * 2.0\n"
        "    except Exception:\n        y = x\n    return np.sum(y)",
        "value_and_grad(f)(A([-1.0, 2.0]))",
    ),
    "in gradient_of": (
        "def f(x):\n    y = x * x\n    with gradient_of(y) as g:\n        g = g / np.sum(y)\n"
        "    return np.sum(y)",
        "grad(f)(np.zeros(2))",
    ),
    "in the rest": (
        "def f(x):\n    return np.sum(x), {'log': np.log(x)}",
        "grad(f, has_aux=True)(A([0.0, 1.0]))",
    ),
    "an argument": (
        "def f(params, x):\n    return np.sum(params['W1'] @ x)",
        "grad(f)({'W1': A([[1.0, np.nan], [np.inf, 2.0]])}, np.ones(2))",
    ),
    "a number that is an argument": ("def f(x, lr):\n    return lr * x", "grad(f)(2.0, np.inf)"),
    "a parameter": (
        "P['b'][1] = np.nan\ndef f(params, x):\n    return np.sum(x @ params['W'] + params['b'])",
        "train_step(f, Adam(P))(np.ones((2, 2)))",
    ),
    "a cotangent": (
        "def f(x):\n    return {'y': x * x}",
        "vjp(f)(np.ones(2))[1]({'y': A([np.nan, 1.0])})",
    ),
    "a global": (
        "scale = {'rate': A([1.0, -np.inf])}\ndef f(x):\n    return np.sum(scale['rate'] * x)",
        "grad(f)(np.ones(2))",
    ),
    "no shape, no name": (
        "import math\ndef f(x):\n    return (x * 1e200) ** 2.0 + math.sqrt(x)",
        "grad(f)(np.float64(1e100))",
    ),
}

NAMES = dict(np=np, A=A, grad=grad, value_and_grad=value_and_grad, vjp=vjp, jvp=jvp, hvp=hvp)
NAMES |= dict(train_step=train_step, SGD=SGD, Adam=Adam, gradient_of=gradient_of)


def message(name: str) -> str:
    program, call = CASES[name]
    file = f"<case: {name}>"
    linecache.cache[file] = (len(program), None, program.splitlines(True), file)
    space = {"__name__": __name__, **NAMES, "P": {"W": np.eye(2), "b": np.zeros(2)}}
    exec(compile(program, file, "exec"), space)
    try:
        with debug(numerics=True):
            result = eval(call, space)
    except Exception as e:
        return "\n".join([f"{type(e).__name__}: {e}", *getattr(e, "__notes__", [])])
    return f"NO ERROR: {result!r}"


def read() -> dict[str, str]:
    parts = GOLDEN.read_text().split("\n--- ")[1:] if GOLDEN.exists() else []
    return {head: body.strip() for head, _, body in (p.partition(" ---\n") for p in parts)}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    assert message(name) == read()[name]


def test_every_text_has_a_case():
    assert set(read()) == set(CASES)


# --- what is no error -----------------------------------------------------------------------------


def masked_log(x):
    return np.sum(np.where(x > 0, np.log(x), 0.0))


def chain(x):
    y = np.sqrt(x) * np.log(x)
    return np.sum(np.where(x > 0, np.tanh(y / x), 1.0) * x)


def bump(x):
    """The reciprocal is infinite, its exponential finite: both are masked."""
    return np.sum(np.where(x > 0, np.exp(-1.0 / x), 0.0))


def picked(x):
    return np.sum(np.log(x)[x > 0])


def overwritten(x):
    y = np.log(x)
    y[x <= 0] = 0.0
    return np.sum(y * y)


def rows(x):
    y = x / np.sqrt(np.sum(x * x))
    return np.sum(np.where(np.isfinite(y), y, 0.0))


def infinities(x):
    return np.sum(np.exp(np.where(x > 0, np.log(x), -np.inf)))


def in_a_loop(x):
    s = 0.0
    for k in range(3):
        s = s + np.sum(np.where(x > k, np.sqrt(x - k), 0.0))
    return s


def running_minimum(x):
    best = np.inf
    for v in x:
        if v < best:
            best = v
    return best * 2.0


def unset(x):
    y = np.empty(len(x))
    for i in range(len(x)):
        y[i] = x[i] * x[i]
    return np.sum(y)


MASKED = [masked_log, chain, bump, picked, overwritten, infinities, in_a_loop]
MASKED += [running_minimum, unset]


@pytest.mark.parametrize("f", MASKED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivative", [grad, value_and_grad], ids=lambda f: f.__name__)
def test_what_is_masked_is_no_error(f, derivative):
    x = A([2.5, 0.0, -1.0, 1.0])
    with np.errstate(all="ignore"):
        expected = derivative(f)(x)
    with debug(numerics=True):
        assert_same(derivative(f)(x), expected)


def test_a_row_that_is_masked():
    with np.errstate(invalid="ignore"), debug(numerics=True):
        assert value_and_grad(rows)(np.zeros(3))[0] == 0.0


def test_what_becomes_finite_again_is_no_error():
    def f(x):
        return np.sum(x / (1.0 + np.exp(-stop_gradient(x))))

    with debug(numerics=True):
        assert_same(grad(f)(A([-1000.0, 0.0])), A([0.0, 0.5]))


# --- the same numbers ---------------------------------------------------------------------------


def assert_same(found, expected):
    one, two = trees.flatten(found), trees.flatten(expected)
    assert one[1] == two[1]
    for x, y in zip(one[0], two[0], strict=True):
        assert (type(x), np.shape(x)) == (type(y), np.shape(y))
        assert getattr(x, "dtype", None) == getattr(y, "dtype", None)
        np.testing.assert_array_equal(x, y)


def check_same(derivative, args):
    given = copy.deepcopy(args)
    expected = derivative(*copy.deepcopy(args))
    with debug(numerics=True):
        assert_same(derivative(*given), expected)
    assert_same(given, args)


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)
def test_gallery(pair):
    check_same(value_and_grad(pair.program, wrt=pair.wrt), pair.args)


@pytest.mark.parametrize("f", everyday.CASES, ids=lambda f: f.__name__)
def test_everyday(f):
    args = everyday.CASES[f]
    check_same(value_and_grad(f, wrt=floats(args)), args)


@pytest.mark.parametrize("f", writes.CASES, ids=lambda f: f.__name__)
def test_writes(f):
    args = writes.CASES[f]
    check_same(value_and_grad(f, wrt=floats(args)), args)


def smooth(x, *more, scale=1.0, **kwargs):
    y = np.tanh(x * scale)
    for v in more:
        y = y * v
    return np.sum(y * kwargs["bias"])


def test_ways_to_pass_arguments():
    x = A([0.5, 1.0])
    for f in (grad(smooth), grad(smooth, wrt="x")):
        expected = f(x, 2.0, x, bias=3.0), f(x, scale=2.0, bias=3.0)
        with debug(numerics=True):
            assert_same((f(x, 2.0, x, bias=3.0), f(x, scale=2.0, bias=3.0)), expected)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_every_mode(mode):
    def f(x):
        return np.sin(x) * x

    def total(x):
        return np.sum(f(x) ** 2)

    x, v = A([0.5, 1.0, 2.0]), A([1.0, -1.0, 0.5])
    check_same(jacobian(f, mode=mode), (x,))
    check_same(elementwise_grad(f), (x,))
    check_same(jvp(f), ((x,), (v,)))
    check_same(hvp(total), ((x,), v))
    check_same(grad(lambda x: np.sum(grad(total)(x))), (x,))
    value, pullback = vjp(f)(x)
    with debug(numerics=True):
        found, back = vjp(f)(x)
        assert_same(back(v), pullback(v))
    assert_same(found, value)
    assert_same(back(v), pullback(v))


@pytest.mark.parametrize("optimizer", [SGD, Adam, AdamW])
def test_training_steps(optimizer):
    def loss(params, x):
        h = np.tanh(x @ params["W"].T + params["b"])
        return np.mean(h * h)

    x = np.arange(6.0).reshape(3, 2)
    trained = []
    for inside in (False, True):
        params = {"W": np.eye(2), "b": np.ones(2)}
        step = train_step(loss, optimizer(params, lr=0.1))
        with debug(numerics=inside):
            values = [step(x) for _ in range(3)]
        assert step.optimizer.steps == 3
        trained.append((values, params, step.optimizer.state_dict()))
    assert_same(trained[1], trained[0])


def test_a_step_that_fails_changes_nothing():
    def loss(params, x):
        return np.sum(params["b"]) + np.sum(np.sqrt(params["W"]) * x)

    params = {"b": np.ones(2), "W": A([1.0, 0.0])}
    step = train_step(loss, Adam(params))
    before = copy.deepcopy((params, step.optimizer.state_dict()))
    with debug(numerics=True), pytest.raises(NumericsError):
        step(np.ones(2))
    assert_same((params, step.optimizer.state_dict()), before)


# --- where it holds -------------------------------------------------------------------------------


def root(x):
    return np.sum(np.sqrt(x))


BAD = A([1.0, 0.0])
usual = vars(adcompile.Derivative)["__call__"]


def quietly(x):
    with np.errstate(divide="ignore"):
        return grad(root)(x)


def test_outside_nothing_is_another():
    with debug(numerics=True):
        assert vars(adcompile.Derivative)["__call__"] is not usual
        with pytest.raises(NumericsError), debug(numerics=True):
            grad(root)(BAD)
        assert vars(adcompile.Derivative)["__call__"] is not usual
        with debug(numerics=False):
            assert np.isinf(quietly(BAD)[1])
    assert vars(adcompile.Derivative)["__call__"] is usual
    assert np.isinf(quietly(BAD)[1])


def test_other_threads_run_as_usual():
    found = []
    thread = threading.Thread(target=lambda: found.append(quietly(BAD)))
    with debug(numerics=True):
        thread.start()
        thread.join()
    assert np.isinf(found[0][1])


def test_many_threads():
    failed = []

    def work(inside):
        for _ in range(20):
            with debug(numerics=inside):
                try:
                    quietly(BAD)
                except NumericsError:
                    failed.append(inside)

    threads = [threading.Thread(target=work, args=(k % 2 == 0,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failed == [True] * 60
    assert vars(adcompile.Derivative)["__call__"] is usual


def test_tasks():
    async def work(inside):
        with debug(numerics=inside):
            await asyncio.sleep(0)
            try:
                quietly(BAD)
            except NumericsError:
                return True
        return False

    async def main():
        return await asyncio.gather(*[work(k % 2 == 0) for k in range(4)])

    assert asyncio.run(main()) == [True, False, True, False]


def test_a_pullback_outside():
    with debug(numerics=True):
        _, back = vjp(roots)(BAD)
    with np.errstate(divide="ignore"):
        assert np.isinf(back(np.ones(2))[1])


def roots(x):
    return np.sqrt(x)


class Model:
    scale = 2.0

    @grad(wrt="w")
    def loss(self, w):
        return np.sum(np.sqrt(w)) * self.scale


@debug(numerics=True)
def inside(w):
    return Model().loss(w)


def test_methods_and_decorated_functions():
    with pytest.raises(NumericsError, match="in function loss"):
        inside(BAD)
    assert_same(inside(np.ones(2)), np.ones(2))


def test_errors_of_the_program_are_its_own():
    def f(x, y):
        return np.sum(x @ y)

    with debug(numerics=True), pytest.raises(ValueError, match="mismatch") as caught:
        value_and_grad(f)(np.ones((2, 3)), np.ones((2, 3)))
    assert "return np.sum(x @ y)" in caught.value.__notes__[0]


def test_tangents_of_another_shape():
    with debug(numerics=True), pytest.raises(SignatureError, match="has shape"):
        jvp(roots)((np.ones(3),), (np.ones(2),))


def test_warnings_are_left_to_the_report():
    """Elsewhere than in the program they stay what they are."""
    with debug(numerics=True):
        with pytest.raises(NumericsError):
            grad(root)(BAD)
        with pytest.warns(RuntimeWarning):
            np.sqrt(A([-1.0]))
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            grad(root)(BAD)


def test_the_error_shows_no_frames_of_the_interpreter():
    with debug(numerics=True), pytest.raises(NumericsError) as caught:
        grad(root)(BAD)
    files = [entry.path.name for entry in caught.traceback if hasattr(entry.path, "name")]
    assert "interpreter.py" not in files and "numerics.py" not in files


if __name__ == "__main__":
    texts = [f"--- {name} ---\n{message(name)}\n" for name in CASES]
    GOLDEN.write_text("\n" + "\n".join(texts))
