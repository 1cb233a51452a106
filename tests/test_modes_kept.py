"""What the public modes look like and leave behind: texts, pickles, files, threads."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from adcompile import (
    SignatureError,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from tests.modes import V, Y, bilinear, loss, same

MODES = [grad, value_and_grad, elementwise_grad, jvp, vjp, hvp, jacobian, hessian]
each_mode = pytest.mark.parametrize("mode", MODES, ids=lambda m: m.__name__)


# --- what is known before the first call, and what stays of it ------------------------------------


def test_signatures_and_names():
    assert str(inspect.signature(jvp(loss))) == "(primals, tangents, **kwargs)"
    assert str(inspect.signature(hvp(loss))) == "(args, v, **kwargs)"
    for mode in (grad, vjp, jacobian, hessian, elementwise_grad):
        assert str(inspect.signature(mode(loss))) == "(x, y)"
    for mode in MODES:
        assert mode(loss).__name__ == "loss"
        assert mode(loss).primal is loss
    assert repr(jvp(loss)) == "<JVP of loss>"
    assert repr(hvp(loss, "y")) == "<Hessian-vector product of loss with respect to y>"
    assert repr(jacobian(loss, wrt=(0, 1))) == "<Jacobian of loss with respect to x, y>"
    nested: Any = grad(grad(loss))
    assert nested.primal.primal is loss


def test_missing_arguments():
    with pytest.raises(TypeError, match=r"jvp\(loss\)\(\) missing 1 .*: 'tangents'"):
        jvp(loss)((V, Y))
    with pytest.raises(TypeError, match=r"hvp\(loss\)\(\) missing 1 .*: 'v'"):
        hvp(loss)((V, Y))
    with pytest.raises(SignatureError, match="the argument `y` is missing"):
        jvp(loss)((V,), (V,))
    with pytest.raises(SignatureError, match="takes 2 positional arguments, 3 are given"):
        jvp(loss)((V, Y, V), (V, Y, V))
    with pytest.raises(SignatureError, match="no parameter `z`"):
        jvp(loss)((V, Y), (V, Y), z=1.0)


@jvp
def decorated_jvp(x):
    """Square."""
    return x * x


@vjp(wrt="y")
def decorated_vjp(x, y):
    return x * y


@hvp(wrt=1)
def decorated_hvp(x, y):
    return np.sum(x * y * y)


@jacobian(mode="reverse")
def decorated_jacobian(x):
    return x * x


@hessian(has_aux=True)
def decorated_hessian(x):
    return np.sum(x * x * x), x


@elementwise_grad(wrt=("x",))
def decorated_elementwise_grad(x):
    return x * x


DECORATED = {
    "jvp": (decorated_jvp, ((V,), (V,)), (V * V, 2 * V * V)),
    "hvp": (decorated_hvp, ((V, Y), V), 2 * V * V),
    "jacobian": (decorated_jacobian, (V,), np.diag(2 * V)),
    "hessian": (decorated_hessian, (V,), (np.diag(6 * V), V)),
    "elementwise_grad": (decorated_elementwise_grad, (V,), (2 * V,)),
}
each_decorated = pytest.mark.parametrize("name", DECORATED)


@each_decorated
def test_decorators(name):
    f, args, expected = DECORATED[name]
    same(f(*args), expected)
    same(f.lower(*args).call(*args), expected)
    assert f.lower(*args) is f.lower(*copy.deepcopy(args))
    assert f.source == f.lower(*args).source
    assert f"def decorated_{name}_{name}(" in f.source
    assert f"func @decorated_{name}_{name}(" in f.ssa


def test_decorated_vjp():
    value, pullback = decorated_vjp(V, Y)
    same((value, pullback(V)), (V * Y, V * V))
    assert decorated_jvp.__doc__ == "Square."


@each_mode
def test_nothing_is_compiled_before_the_call(mode):
    for attribute in ("source", "ssa"):
        with pytest.raises(SignatureError, match="has not been compiled yet"):
            getattr(mode(loss), attribute)


@each_mode
def test_html(mode):
    f = mode(loss)
    assert "not compiled yet" in f._repr_html_()
    f.lower(*{jvp: ((V, Y), (V, Y)), hvp: ((V, Y), V)}.get(mode, (V, Y)))
    shown = f._repr_html_()
    assert "not compiled yet" not in shown and "loss" in shown and "<table>" in shown


@each_decorated
def test_pickles_and_copies(name):
    f, args, expected = DECORATED[name]
    same(pickle.loads(pickle.dumps(f))(*args), expected)
    same(copy.deepcopy(f)(*args), expected)
    same(copy.copy(f)(*args), expected)


@each_mode
def test_pickles_of_local_functions(mode):
    k = 3.0
    args: Any = {jvp: ((V, Y), (V, Y)), hvp: ((V, Y), V)}.get(mode, (V, Y))
    f = mode(lambda x, y: np.sum(k * x * x * y))
    again = pickle.loads(pickle.dumps(f))
    if mode is vjp:
        same(again(*args)[1](1.0), f(*args)[1](1.0))
    else:
        same(again(*args), f(*args))
    assert pickle.dumps(pickle.loads(pickle.dumps(again)))  # and on


def test_threads():
    calls = {
        jvp(bilinear): lambda f, x, y: f((x, y), (x, y)),
        jacobian(bilinear): lambda f, x, y: f(x, y),
        hvp(loss): lambda f, x, y: f((x, y), x),
        vjp(bilinear): lambda f, x, y: f(x, y)[1](y),
        hessian(loss, wrt=(0, 1)): lambda f, x, y: f(x, y),
    }
    places = [(V.astype(t), np.array(Y, t)) for t in (np.float64, np.float32)] + [
        (0.5, 2.0),
        (V[None], Y[None]),
    ]
    expected = {(f, k): call(f, *p) for f, call in calls.items() for k, p in enumerate(places)}
    wrong: list[object] = []

    def work():
        fresh = {f: copy.copy(f) for f in calls}
        for _ in range(5):
            for f, call in calls.items():
                for k, place in enumerate(places):
                    for g in (f, fresh[f]):
                        try:
                            same(call(g, *place), expected[f, k])
                        except Exception as e:
                            wrong.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_exported_files_need_numpy_alone(tmp_path):
    def rate(x, y):
        return np.sum(np.tanh(x) * y)

    def rates(x, y):
        return np.tanh(x) * y

    calls = {
        "rate_grad": (grad(rate), (V, Y)),
        "rate_value_and_grad": (value_and_grad(rate), (V, Y)),
        "rates_elementwise_grad": (elementwise_grad(rates), (V, Y)),
        "rates_jvp": (jvp(rates), ((V, Y), (V, None))),
        "rates_vjp": (vjp(rates), (V, Y)),
        "rate_hvp": (hvp(rate), ((V, Y), V)),
        "rates_jacobian": (jacobian(rates), (V, Y)),
        "rate_hessian": (hessian(rate), (V, Y)),
    }
    expected = {}
    for name, (f, args) in calls.items():
        result = f(*args)
        expected[name] = (result[0], result[1](V)) if name == "rates_vjp" else result
        f.export(tmp_path / f"{name}.py")
    (tmp_path / "args.pickle").write_bytes(pickle.dumps({n: a for n, (_, a) in calls.items()}))
    (tmp_path / "run.py").write_text(
        "import importlib, pickle, sys\n"
        "sys.modules['adcompile'] = None\n"
        "found = {}\n"
        "for name, args in pickle.load(open('args.pickle', 'rb')).items():\n"
        "    found[name] = getattr(importlib.import_module(name), name)(*args)\n"
        "value, pullback = found['rates_vjp']\n"
        "found['rates_vjp'] = value, pullback(args[0])\n"
        "pickle.dump(found, open('found.pickle', 'wb'))\n"
    )
    subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=True)
    same(pickle.loads((tmp_path / "found.pickle").read_bytes()), expected)
