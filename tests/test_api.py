"""Calling gradients: specialisations, guards, `wrt`, methods, globals, pickles, files."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import linecache
import pickle
import subprocess
import sys
import threading
import traceback
from typing import NamedTuple

import numpy as np
import pytest

import adcompile
from adcompile import SignatureError, TypeMismatch, check_grads, grad, value_and_grad

TWO = np.array([2.0, 3.0])


@grad
def out(a):
    """A mean."""
    b = a + 3
    c = b * b * 3
    return c.mean()


def loss(params, x, y):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    err = h @ W2 + b2 - y
    return np.mean(err * err)


def network(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(2, 16), (16,), (16, 1), (1,), (32, 2), (32, 1)]
    a, b, c, d, x, y = [rng.normal(size=s).astype(dtype) for s in shapes]
    return ((a, b), (c, d)), x, y


def test_the_example_of_the_readme():
    assert np.array_equal(out(TWO), [15.0, 18.0])
    assert "def out_grad(a):" in out.source
    assert "func @out_grad" in out.ssa
    assert out.primal(TWO) == 91.5


def test_it_looks_like_the_function():
    assert out.__name__ == "out" and out.__doc__ == "A mean."
    assert out.__wrapped__ is out.primal
    assert str(inspect.signature(grad(loss))) == "(params, x, y)"
    assert "out" in repr(out) and "with respect to a" in repr(out)


def test_value_and_grad():
    args = network()
    value, gradient = value_and_grad(loss)(*args)
    assert value == pytest.approx(loss(*args), rel=1e-12)
    (d_W1, d_b1), (d_W2, d_b2) = gradient
    assert [d.shape for d in (d_W1, d_b1, d_W2, d_b2)] == [(2, 16), (16,), (16, 1), (1,)]
    check_grads(loss, args)


def test_decorators_with_and_without_arguments():
    @grad
    def f(x):
        return x * x

    @grad(wrt="y")
    def g(x, y):
        return x * y

    @value_and_grad(wrt=("y", 0))
    def h(x, y):
        return x * y * y

    assert f(3.0) == 6.0
    assert g(3.0, 4.0) == 3.0
    assert h(3.0, 4.0) == (48.0, (24.0, 16.0))


def test_forms_of_wrt():
    def f(x, y):
        return x * y

    assert grad(f, 1)(2.0, 3.0) == 2.0
    assert grad(f, "x")(2.0, 3.0) == 3.0
    assert grad(f, (1,))(2.0, 3.0) == (2.0,)
    assert grad(f, ["x", "y"])(2.0, 3.0) == (3.0, 2.0)
    assert value_and_grad(f, (0,))(2.0, 3.0) == (6.0, (3.0,))


@pytest.mark.parametrize("wrt", ["z", 2, -1, True, (0, 0), (), 1.5, (None,)])
def test_wrong_wrt(wrt):
    with pytest.raises(SignatureError):
        grad(lambda x, y: x, (wrt,) if wrt == 1.5 else wrt)


def test_has_aux():
    def f(x):
        return x * x, {"x": x}

    assert grad(f, has_aux=True)(2.0) == (4.0, {"x": 2.0})
    assert value_and_grad(f, has_aux=True)(2.0) == ((4.0, {"x": 2.0}), 4.0)


# --- trees --------------------------------------------------------------------------------------


class Pair(NamedTuple):
    w: np.ndarray
    b: float


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    b: np.ndarray | None = None


TREES = {
    "tuple": ((TWO, 2.0), lambda p: p[0].sum() * p[1]),
    "list": ([TWO, 2.0], lambda p: p[0].sum() * p[1]),
    "dict": ({"w": TWO, "b": 2.0}, lambda p: p["w"].sum() * p["b"]),
    "named tuple": (Pair(TWO, 2.0), lambda p: p.w.sum() * p.b),
    "dataclass": (Layer(TWO, TWO), lambda p: p.w.sum() * p.b.sum()),
    "nested": ({"a": [Pair(TWO, 3.0)]}, lambda p: (p["a"][0].w * p["a"][0].b).sum()),
}


@pytest.mark.parametrize("tree, f", TREES.values(), ids=list(TREES))
def test_gradients_have_the_structure_of_their_trees(tree, f):
    assert type(grad(f)(tree)) is type(tree)
    check_grads(f, (tree,))


def test_none_is_a_leaf_without_gradient():
    result = grad(lambda p: p.w.sum())(Layer(TWO))
    assert result.b is None and np.array_equal(result.w, [1.0, 1.0])


# --- specialisations ----------------------------------------------------------------------------


def count(g) -> int:
    return len(g._specialisations.found)


def test_a_new_size_compiles_nothing():
    g = grad(loss)
    params, x, y = network()
    g(params, x, y)
    g(params, x[:7], y[:7])
    g(params, x=x[:5], y=y[:5])
    assert count(g) == 1


@pytest.mark.parametrize(
    "other",
    [
        TWO.astype(np.float32),
        TWO[:1],
        np.ones((2, 2)),
        np.ones((2, 1)),
        np.ones((1, 2)),
        np.float64(2.0),
        np.array(2.0),
        2.0,
    ],
    ids=repr,
)
def test_types_ranks_and_ones_compile_anew_and_are_found_again(other):
    g = grad(lambda x: np.sum(x * x))
    for _ in range(3):
        for x in (TWO, other):
            d = g(x)
            assert np.shape(d) == np.shape(x) and np.array_equal(d, 2 * x)
            assert getattr(d, "dtype", float) == getattr(x, "dtype", float)
    assert count(g) == 2


def test_ones_in_any_place():
    g = grad(lambda x, y: np.sum(x * y))
    y = np.ones((4, 3))
    shapes = [(4, 3), (1, 3), (4, 1), (1, 1)]
    for _ in range(2):
        for shape in shapes:
            assert g(np.ones(shape), y).shape == shape
    assert count(g) == 4


def test_equal_dtypes_that_are_other_objects():
    g = grad(lambda x: np.sum(x * x))
    odd = np.dtype("f8", metadata={"unit": "m"})
    g(TWO)
    assert np.array_equal(g(TWO.astype(odd)), 2 * TWO)
    assert count(g) == 1


def test_values_that_decide_types_join_the_signature():
    g = grad(lambda x, k, scale: np.sum(np.sum(x, axis=k) * scale))
    x = np.arange(6.0).reshape(2, 3)
    for k in (0, 1, 0, -1):
        for scale in (2.0, 3.0):
            assert np.array_equal(g(x, k, scale), np.full((2, 3), scale))
    assert count(g) == 3  # one for each axis, none for a scale


def test_static_values():
    def f(x, mode="square", scale=None, act=np.tanh):
        y = x * x if mode == "square" else x
        if scale is not None:
            y = y * scale
        return act(y)

    g = grad(f)
    assert g(0.5) == pytest.approx(1 / np.cosh(0.25) ** 2)
    assert g(0.5, "plain") == pytest.approx(1 / np.cosh(0.5) ** 2)
    assert g(0.5, act=np.sin, mode="plain") == pytest.approx(np.cos(0.5))
    assert g(0.5, scale=2.0, mode="plain", act=np.sin) == pytest.approx(2 * np.cos(1.0))
    assert g(0.5, "plain") == pytest.approx(1 / np.cosh(0.5) ** 2)
    assert count(g) == 4


def test_lists_of_another_length_are_other_trees():
    g = grad(lambda xs: xs[0] * xs[1])
    assert g([2.0, 3.0]) == [3.0, 2.0]
    assert g([2.0, 3.0, 4.0]) == [3.0, 2.0, 0.0]
    assert g((2.0, 3.0)) == (3.0, 2.0)
    assert count(g) == 3


def test_order_of_dict_keys_is_kept():
    g = grad(lambda p: p["a"] * p["b"])
    assert list(g({"a": 2.0, "b": 3.0})) == ["a", "b"]
    assert list(g({"b": 2.0, "a": 3.0})) == ["b", "a"]


def test_all_kinds_of_parameters():
    def f(x, /, y, *rest, k=2.0, **more):
        return x * y * k * rest[0] * more["z"]

    g = grad(f, ("x", "y", "k"))
    for _ in range(2):
        assert g(2.0, 3.0, 5.0, z=7.0) == (210.0, 140.0, 210.0)
        assert g(2.0, 3.0, 5.0, k=1.0, z=7.0) == (105.0, 70.0, 210.0)
    with pytest.raises(TypeError, match=r"f\(\) missing 1 required positional argument: 'y'"):
        g(2.0)
    with pytest.raises(TypeError, match="missing 1 required"):
        grad(f)(2.0)


def test_names_of_parameters_that_guards_might_use():
    assert grad(lambda _1, _e, entry, __2=3.0: _1 * _e * entry * __2)(2.0, 3.0, 4.0) == 36.0


@pytest.mark.parametrize(
    "bad",
    [np.ma.array([1.0]), np.zeros(2).view(np.recarray), TWO.astype(">f8"), np.array(["a"])],
    ids=repr,
)
def test_what_is_no_plain_array(bad):
    g = grad(lambda x, y: np.sum(x))
    with pytest.raises(TypeMismatch, match="`y`"):
        g(TWO, bad)
    with pytest.raises(TypeMismatch, match=r'`y\["k"\]\[0\]`'):
        g(TWO, {"k": [bad]})


# --- globals ------------------------------------------------------------------------------------

SCALE = 2.0
WEIGHTS = np.ones(2)


def test_globals_are_read_at_each_call(monkeypatch):
    g = grad(lambda x: np.sum(x * WEIGHTS) * SCALE)

    glob = test_globals_are_read_at_each_call.__globals__

    assert np.array_equal(g(TWO), [2.0, 2.0])
    monkeypatch.setitem(glob, "WEIGHTS", np.array([1.0, 5.0]))
    assert np.array_equal(g(TWO), [2.0, 10.0])
    monkeypatch.setitem(glob, "SCALE", 3.0)
    assert np.array_equal(g(TWO), [3.0, 15.0])
    assert count(g) == 1
    monkeypatch.setitem(glob, "WEIGHTS", 7.0)  # another type
    assert np.array_equal(g(TWO), [21.0, 21.0])
    monkeypatch.setitem(glob, "WEIGHTS", np.ones(2))
    assert np.array_equal(g(TWO), [3.0, 3.0])
    assert count(g) == 2


def test_closures_are_read_at_each_call():
    k = 2.0
    g = grad(lambda x: x * k)
    assert g(1.0) == 2.0
    k = 5.0
    assert g(1.0) == 5.0


# --- methods ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Model:
    w: float

    @grad(wrt="x")
    def decorated(self, x):
        return self.w * x * x

    def plain(self, x, y):
        return self.w * x * y


def test_methods():
    assert Model(3.0).decorated(2.0) == 12.0
    assert "decorated_grad" in Model.decorated.source
    assert grad(Model(3.0).plain)(2.0, 5.0) == 15.0
    assert grad(Model(3.0).plain, "y")(2.0, 5.0) == 6.0
    assert grad(Model.plain)(Model(3.0), 2.0, 5.0) == Model(10.0)


def test_caches_are_looked_through():
    @functools.lru_cache
    def f(x):
        return x * x

    assert grad(f)(3.0) == 6.0


# --- what is kept of a compilation --------------------------------------------------------------


def test_lower():
    g = grad(loss)
    params, x, y = network()
    spec = g.lower(params, x, y=y)
    assert "def loss_grad(params, x, y):" in spec.source and "func @loss_grad" in spec.ssa
    assert g.lower(params, x, y) is spec and count(g) == 1
    assert np.array_equal(spec.call(params, x, y)[0][0], g(params, x, y)[0][0])
    with pytest.raises(SignatureError):
        spec.call(params, x, 1.0)


def test_nothing_is_compiled_before_the_call():
    with pytest.raises(SignatureError, match="has not been compiled yet"):
        _ = grad(loss).source


def test_lambdas():
    g = grad(lambda x: x * x)
    assert g(3.0) == 6.0
    assert "def lambda_grad(x):" in g.source


def test_html():
    g = grad(loss)
    assert "not compiled yet" in g._repr_html_()
    g(*network())
    assert "loss_grad" in g._repr_html_() and "<table>" in g._repr_html_()


def test_errors_of_generated_code_say_where_they_come_from():
    def f(x, y):
        z = x @ y
        return (z * z).sum()

    x = np.ones((2, 3))
    with pytest.raises(ValueError) as caught:
        grad(f)(x, x)
    line = f.__code__.co_firstlineno + 1
    assert caught.value.__notes__ == [
        f"this comes from {__file__}:{line}, in function f\n    z = x @ y"
    ]
    assert "z = x @ y" in "".join(traceback.format_exception(caught.value)).split("note")[0]
    frames = traceback.extract_tb(caught.tb)
    assert frames[-1].filename.startswith("<adcompile f_grad") and frames[-1].line == "z = x @ y"


def test_texts_of_functions_that_are_gone_are_forgotten():
    import gc

    g = grad(lambda x: x * x)
    g(2.0)
    file = g._specialisations.found[0].function.__code__.co_filename
    assert file in linecache.cache
    del g
    gc.collect()
    assert file not in linecache.cache


# --- files --------------------------------------------------------------------------------------


def run_alone(path, code: str) -> str:
    """What a Python prints that can import NumPy, but not adcompile."""
    block = "import sys; sys.modules['adcompile'] = None; sys.path.insert(0, '.');"
    result = subprocess.run(
        [sys.executable, "-c", f"{block} {code}"],
        cwd=path,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_export(tmp_path):
    out(TWO)
    out.export(tmp_path / "out_grad.py")
    code = "import numpy as np; from out_grad import out_grad; print(out_grad(np.array([2., 3.])))"
    assert run_alone(tmp_path, code) == "[15. 18.]"
    assert (tmp_path / "out_grad.py").read_text().startswith('"""The gradient of out')


def test_export_writes_what_the_text_needs(tmp_path):
    table, tiny = np.array([1.0, 5.0]), np.float64(0.5)

    def f(x):
        return np.sum(x * table) * tiny * SCALE

    g = grad(f)
    expected = g(TWO)
    g.export(tmp_path / "f_grad.py")
    code = "import numpy as np; from f_grad import f_grad; print(f_grad(np.array([2., 3.])))"
    assert run_alone(tmp_path, code) == str(expected)


def test_export_inlines_helpers(tmp_path):
    from adcompile.codegen.load import standalone
    from adcompile.codegen.python import Generated

    text = (
        "import numpy as np\nfrom adcompile import runtime\n\n\n"
        "def f_grad(x, y):\n    return runtime.unbroadcast(x * y, y.shape)\n"
    )
    imports = ["import numpy as np", "from adcompile import runtime"]
    made = standalone(Generated(text, {}, {}, imports), "A title.")
    (tmp_path / "made.py").write_text(made)
    code = "import numpy as np, made; print(made.f_grad(np.ones((3, 2)), np.ones(2)))"
    assert run_alone(tmp_path, code) == "[3. 3.]"


def test_export_refuses_what_has_no_text(tmp_path):
    big = np.ones(20_000)
    g = grad(lambda x: np.sum(x * big))
    g(np.ones(20_000))
    with pytest.raises(SignatureError, match="cannot export"):
        g.export(tmp_path / "big.py")


# --- pickles and threads ------------------------------------------------------------------------

TABLE = np.array([3.0, 4.0])


@grad
def pickled(x):
    return np.sum(x * TABLE)


def make_local(k):
    @grad
    def inner(x, scale=2.0):
        return np.sum(x * TABLE) * k * scale

    return inner


def test_pickles():
    again = pickle.loads(pickle.dumps(make_local(5.0)))
    assert np.array_equal(again(TWO), [30.0, 40.0])
    assert "inner_grad" in again.source
    square = pickle.loads(pickle.dumps(grad(lambda x: x * x)))
    assert square(3.0) == 6.0
    assert pickle.loads(pickle.dumps(square))(4.0) == 8.0  # and on


def test_pickles_by_name(tmp_path):
    (tmp_path / "user_code.py").write_text(
        "from adcompile import value_and_grad\n"
        "@value_and_grad(wrt='y')\ndef f(x, y):\n    return x * y * y\n"
    )
    code = (
        "import pickle, user_code, sys\n"
        "data = pickle.dumps(user_code.f)\n"
        "assert b'x * y' not in data\n"
        "print(pickle.loads(data)(2.0, 3.0))"
    )
    root = adcompile.__path__[0].rsplit("/", 1)[0]
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": root},
    )
    assert result.stdout.strip() == "(18.0, 12.0)"


def test_threads():
    g = grad(lambda x, k: np.sum(np.sum(x * x, axis=k)))
    arrays = [np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 3), np.float32), np.ones((2, 3, 4))]
    wrong: list[object] = []

    def work():
        for _ in range(20):
            for x in arrays:
                for k in (0, 1):
                    d = g(x, k)
                    if d.dtype != x.dtype or not np.array_equal(d, 2 * x):
                        wrong.append((x, k))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and count(g) == 8
