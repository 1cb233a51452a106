"""Bad programs and bad inputs, and the texts that a user gets for them.

The texts are in `tests/data/errors.txt`; `python tests/test_errors_golden.py` writes it anew, and
a change in it is read in review.
"""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcompile import (
    AdcompileError,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    vjp,
)

GOLDEN = Path(__file__).parent / "data" / "errors.txt"

MODES = (grad, jvp, vjp, hvp, jacobian, hessian, elementwise_grad)
OF_PYTHON = {  # errors of other kinds
    "mismatched shapes",
    "missing argument",
    "jvp without tangents",
    "cotangent of another shape",
    "cotangent with another key",
    "cotangent of a string",
}

TWO = np.array([2.0, 3.0])
ONES = np.ones((2, 3))
THREE = np.arange(3.0)

# Name: the program, which defines f, and what is called.
CASES = {
    "write into a global array": (
        "G = np.zeros(2)\ndef f(x):\n    G[0] = x.sum()\n    return G.sum()",
        "grad(f)(TWO)",
    ),
    "global list appended to": (
        "LOG = []\ndef f(x):\n    LOG.append(x)\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "write through a view that is fixed": (
        "def f(x):\n    y = np.broadcast_to(x, (3, 2))\n    y[0] = 1.0\n    return y.sum()",
        "grad(f)(TWO)",
    ),
    "one of two arrays written": (
        "def f(x):\n    y = x * 2.0\n    z = y if x[0] > 1.0 else x\n    z[0] = 1.0\n"
        "    return (y * y).sum()",
        "grad(f)(TWO)",
    ),
    "alias rebound in a loop": (
        "def f(x):\n    h0 = x * 1.0\n    h = h0\n    for v in x:\n        if v > 0:\n"
        "            h = h * v\n        h[0] = v\n    return (h * h0).sum()",
        "grad(f)(TWO)",
    ),
    "two rows that change places": (
        "def f(x):\n    a, b = x[0], x[1]\n    for _ in range(3):\n        a[1:] = b[:-1]\n"
        "        a, b = b, a\n    return (a * b).sum()",
        "grad(f)(ONES)",
    ),
    "reshaped and written": (
        "def f(x):\n    y = x[:, 1:].reshape(-1)\n    y[0] = 1.0\n    return (x * x).sum()",
        "grad(f)(ONES)",
    ),
    "appended and written": (
        "def f(x):\n    row = np.zeros(2)\n    rows = []\n    for v in x:\n        row[0] = v\n"
        "        rows.append(row)\n    return np.sum(np.stack(rows))",
        "grad(f)(TWO)",
    ),
    "row of a list of rows written": (
        "def f(x):\n    rows = [row for row in x]\n    rows[0][0] = 5.0\n    return (x * x).sum()",
        "grad(f)(ONES)",
    ),
    "arguments that overlap": (
        "def f(a, b):\n    a[0] = 1.0\n    return (a * b).sum()",
        "grad(f)(THREE[1:], THREE[:-1])",
    ),
    "the same dict twice": (
        "def f(p, q):\n    p['w'] = p['w'] * 2\n    return (p['w'] * q['w']).sum()",
        "(lambda d: grad(f)(d, d))({'w': TWO})",
    ),
    "recursion with the same array twice": (
        "def g(x, y, n):\n    if n == 0:\n        return (x * y).sum()\n    x[0] = x[0] * 2.0\n"
        "    return g(y, x, n - 1)\ndef f(x, n):\n    return g(x, x, n)",
        "grad(f)(TWO, 3)",
    ),
    "recursion that changes a dict": (
        "def g(d, n):\n    if n == 0:\n        return d['x'].sum()\n    d['x'] = d['x'] * 2.0\n"
        "    return g(d, n - 1)\ndef f(x, n):\n    return g({'x': x}, n)",
        "grad(f)(TWO, 3)",
    ),
    "float written into integers": (
        "def f(x):\n    n = np.zeros(2, int)\n    n[0] = x[0]\n    return (n * x).sum()",
        "grad(f)(TWO)",
    ),
    "floats added to integers": (
        "def f(x):\n    n = np.zeros(2, int)\n    n += x\n    return (n * x).sum()",
        "grad(f)(TWO)",
    ),
    "out of integers": (
        "def f(x):\n    n = np.zeros(2, int)\n    np.exp(x, out=n)\n    return (n * x).sum()",
        "grad(f)(TWO)",
    ),
    "out of another rank": (
        "def f(x):\n    y = np.zeros((2, 2))\n    np.sum(x, out=y)\n    return y.sum()",
        "grad(f)(TWO)",
    ),
    "out is a list": (
        "def f(x):\n    y = [0.0, 0.0]\n    np.exp(x, out=y)\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "shuffle": ("def f(x):\n    np.random.shuffle(x)\n    return x[0]", "grad(f)(TWO)"),
    "ufunc.at": (
        "def f(x):\n    np.multiply.at(x, [0, 0], 2.0)\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "resize": ("def f(x):\n    x.resize(3)\n    return x.sum()", "grad(f)(TWO)"),
    "write into an attribute": ("def f(x):\n    x.shape = (2, 1)\n    return x", "grad(f)(TWO)"),
    "write into a tuple": (
        "def f(x):\n    t = (x, x)\n    t[0] = x * 2\n    return t[0].sum()",
        "grad(f)(TWO)",
    ),
    "frozen dataclass": (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    w: object\n"
        "def f(p):\n    p.w = p.w * 2\n    return p.w.sum()",
        "grad(f)(P(TWO))",
    ),
    "named tuple written": (
        "from collections import namedtuple\nP = namedtuple('P', 'w b')\n"
        "def f(p):\n    p.w = p.w * 2\n    return p.w.sum()",
        "grad(f)(P(TWO, TWO))",
    ),
    "attribute of an object": (
        "class Layer:\n    def __init__(self, w):\n        self.weight = w\n"
        "def f(x):\n    layer = Layer(x)\n    return layer.wieght.sum()",
        "grad(f)(TWO)",
    ),
    "__getattr__": (
        "class Layer:\n    def __getattr__(self, name):\n        return 1.0\n"
        "def f(x):\n    return x * Layer().rate",
        "grad(f)(2.0)",
    ),
    "metaclass": (
        "class Meta(type):\n    pass\nclass Layer(metaclass=Meta):\n    pass\n"
        "def f(x):\n    layer = Layer()\n    return x",
        "grad(f)(2.0)",
    ),
    "attribute deleted": (
        "def f(p):\n    del p.w\n    return 1.0",
        "grad(f)(2.0)",
    ),
    "deleted": ("def f(x):\n    y = x\n    del y\n    return y", "grad(f)(2.0)"),
    "key chosen at run time": (
        "def f(x):\n    d = {'a': x, 'b': x * 2}\n    total = 0.0\n    for k in np.arange(2):\n"
        "        total = total + d[k].sum()\n    return total",
        "grad(f)(TWO)",
    ),
    "key that is computed": (
        "def f(x):\n    d = {}\n    for v in x:\n        d[v] = v\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "list that grows while iterated over": (
        "def f(x):\n    xs = [x[0]]\n    for v in xs:\n        xs.append(v)\n    return sum(xs)",
        "grad(f)(TWO)",
    ),
    "nditer": (
        "def f(x):\n    return sum([v * v\n                for v in np.nditer(x)])",
        "grad(f)(TWO)",
    ),
    "generator": ("def f(x):\n    yield x", "grad(f)(TWO)"),
    "generator returned": (
        "def f(x):\n    squares = (v * v for v in x)\n    return squares",
        "grad(f)(TWO)",
    ),
    "generator used up": (
        "def f(x):\n    squares = (v * v for v in x)\n    return sum(squares) + sum(squares)",
        "grad(f)(TWO)",
    ),
    "async": ("async def f(x):\n    return x", "grad(f)(2.0)"),
    "return in finally": (
        "def f(x):\n    try:\n        return x\n    finally:\n        return 0.0",
        "grad(f)(2.0)",
    ),
    "bad format": ("def f(x):\n    print(f'at {x.ndim:q}')\n    return x.sum()", "grad(f)(TWO)"),
    "global": ("def f(x):\n    global W\n    W = x\n    return x", "grad(f)(2.0)"),
    "nonlocal": (
        "def f(x):\n    n = 0.0\n    def g():\n        nonlocal n\n        n = n + x\n    g()\n"
        "    return n",
        "grad(f)(2.0)",
    ),
    "class": ("def f(x):\n    class A:\n        pass\n    return x", "grad(f)(2.0)"),
    "context manager that may swallow": (
        "import contextlib\ndef f(x):\n    with contextlib.ExitStack():\n        return x",
        "grad(f)(2.0)",
    ),
    "no rule": ("def f(x):\n    return np.unwrap(x).sum()", "grad(f)(TWO)"),
    "C function": (
        "import zlib\ndef f(x):\n    y = 2 * zlib.crc32(x)\n    return y * x.sum()",
        "grad(f)(TWO)",
    ),
    "library function": (
        "def f(x):\n    y = np.fft.fft(x)\n    return (y * 2).sum()",
        "grad(f)(TWO)",
    ),
    "method of an unknown result": (
        "def f(x):\n    return np.fft.fft(x).sum()",
        "grad(f)(TWO)",
    ),
    "function given a function": (
        "from scipy.optimize import brentq\n"
        "def f(x):\n    return brentq(lambda t: t * t - x, 0.0, 2.0) * x",
        "grad(f)(2.0)",
    ),
    "unknown result": (
        "import zlib\ndef f(x):\n    return x * zlib.crc32(b'seed')",
        "grad(f)(2.0)",
    ),
    "integer array": ("def f(x):\n    return (x * x).mean()", "grad(f)(np.array([2, 3]))"),
    "integer number": ("def f(x):\n    return x * x", "grad(f)(3)"),
    "integers in a tree": (
        "def f(p):\n    return p['w'].sum()",
        "grad(f)({'w': TWO, 'steps': np.arange(9)})",
    ),
    "string": ("def f(x):\n    return 1.0", "grad(f)('adam')"),
    "complex": ("def f(x):\n    return abs(x)", "grad(f)(1j)"),
    "not a scalar": ("def f(x):\n    return x * 2", "grad(f)(TWO)"),
    "returns None": ("def f(x):\n    x * 2", "grad(f)(TWO)"),
    "no aux": ("def f(x):\n    return x.sum()", "grad(f, has_aux=True)(TWO)"),
    "unknown name in wrt": ("def f(x, y):\n    return x", "grad(f, wrt='z')"),
    "position out of range in wrt": ("def f(x, y):\n    return x", "grad(f, wrt=(0, 2))"),
    "twice in wrt": ("def f(x, y):\n    return x", "grad(f, wrt=(0, 'x'))"),
    "unknown back end": ("def f(x):\n    return x", "grad(f, backend='cuda')"),
    "no parameters": ("def f():\n    return 1.0", "grad(f)"),
    "gradient of a gradient": ("def f(x):\n    return (x * x).sum()", "grad(grad(f))(TWO)"),
    "builtin": ("f = len", "grad(f)"),
    "ufunc": ("f = np.tanh", "grad(f)"),
    "masked array": ("def f(x):\n    return x.sum()", "grad(f)(np.ma.array([1.0]))"),
    "byte order": ("def f(x):\n    return x.sum()", "grad(f)(TWO.astype('>f8'))"),
    "array of objects": ("def f(x):\n    return x.sum()", "grad(f)(np.array([None]))"),
    "not compiled yet": ("def f(x):\n    return x", "grad(f).source"),
    "another signature": ("def f(x):\n    return x.sum()", "grad(f).lower(TWO).call(ONES)"),
    "undefined name": ("def f(x):\n    return x * rate", "grad(f)(2.0)"),
    "misspelt name": ("def f(rate):\n    return rte * 2.0", "grad(f)(2.0)"),
    "read before assignment": (
        "def f(x):\n    y = x * z\n    z = 1.0\n    return y",
        "grad(f)(2.0)",
    ),
    "wrong tree": ("def f(p):\n    w, b = p\n    return w.sum()", "grad(f)((TWO, TWO, TWO))"),
    "missing key": ("def f(p):\n    return p['b'].sum()", "grad(f)({'w': TWO})"),
    "missing attribute": ("def f(x):\n    return x.total()", "grad(f)(TWO)"),
    "types that clash": (
        "def f(x):\n    y = x\n    for v in x:\n        y = (y, v)\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "rank changes in a while loop": (
        "def f(x):\n    while x.ndim:\n        x = x.sum(axis=0)\n    return x",
        "grad(f)(TWO)",
    ),
    "rank changes in a long loop": (
        "def f(x):\n    for i in range(100):\n        x = x[None]\n    return x.sum()",
        "grad(f)(TWO)",
    ),
    "functions in a list": (
        "def f(x):\n    fs = []\n    for v in x:\n        fs.append(lambda t: t * v)\n"
        "    return fs[0](x[0])",
        "grad(f)(TWO)",
    ),
    "size decides a type": (
        "def f(x):\n    return x.sum(axis=x.shape[0] % 2).sum()",
        "grad(f)(ONES)",
    ),
    "global array decides a type": (
        "W = np.arange(2)\ndef f(x):\n    return x.sum(axis=W[0]).sum()",
        "grad(f)(ONES)",
    ),
    "global that is no array": ("W = object()\ndef f(x):\n    return x * W", "grad(f)(2.0)"),
    "array decides a type": ("def f(x, k):\n    return x.sum(axis=k).sum()", "grad(f)(ONES, TWO)"),
    "wide characters": ("def f(x):\n    größe = ['日本', *np.nditer(x)]", "grad(f)(TWO)"),
    "mismatched shapes": (
        "def f(x, y):\n    z = x @ y\n    return (z * z).sum()",
        "grad(f)(ONES, ONES)",
    ),
    "missing argument": ("def f(x, y):\n    return x * y", "grad(f)(2.0)"),
    "arguments in place of wrt": ("def f(x):\n    return x * x", "jvp(f, (TWO,), (TWO,))"),
    "arguments in place of the mode": ("def f(x):\n    return x * x", "jacobian(f, TWO)"),
    "jvp without tuples": ("def f(x):\n    return x * x", "jvp(f)(TWO, TWO)"),
    "jvp without tangents": ("def f(x):\n    return x * x", "jvp(f)((TWO,))"),
    "too few tangents": ("def f(x, y):\n    return x * y", "jvp(f)((TWO, TWO), (TWO,))"),
    "tangent of another dtype": (
        "def f(x):\n    return x * x",
        "jvp(f)((TWO,), (TWO.astype(np.float32),))",
    ),
    "tangent of another shape": ("def f(x):\n    return x * x", "jvp(f)((TWO,), (THREE,))"),
    "tangent of length 1": ("def f(x):\n    return x * x", "jvp(f)((TWO,), (TWO[:1],))"),
    "number as a tangent": ("def f(x):\n    return x * x", "jvp(f)((TWO,), (1.0,))"),
    "tangent with another key": (
        "def f(p):\n    return p['w'].sum()",
        "jvp(f)(({'w': TWO, 'b': 1.0},), ({'w': TWO, 'c': 1.0},))",
    ),
    "tangent of an integer": ("def f(x, n):\n    return x * n", "jvp(f)((TWO, 3), (TWO, 1))"),
    "tangent of what is not passed": (
        "def f(x, rate=0.1):\n    return (x * rate).sum()",
        "hvp(f, wrt='rate')((TWO,), 1.0)",
    ),
    "hvp without a tuple": ("def f(x):\n    return (x * x).sum()", "hvp(f)(TWO, TWO)"),
    "hvp with a tuple too many": ("def f(x):\n    return (x * x).sum()", "hvp(f)((TWO,), (TWO,))"),
    "hvp of another shape": ("def f(x):\n    return (x * x).sum()", "hvp(f)((TWO,), THREE)"),
    "hvp of an array": ("def f(x):\n    return x * x", "hvp(f)((TWO,), TWO)"),
    "hessian of an array": ("def f(x):\n    return x * x", "hessian(f)(TWO)"),
    "elementwise gradient of a tuple": (
        "def f(x):\n    return x, x",
        "elementwise_grad(f)(TWO)",
    ),
    "cotangent of another shape": ("def f(x):\n    return x * x", "vjp(f)(TWO)[1](THREE)"),
    "cotangent with another key": (
        "def f(x):\n    return {'y': x, 'z': x}",
        "vjp(f)(TWO)[1]({'y': TWO})",
    ),
    "cotangent of a string": (
        "def f(x):\n    return {'y': x, 'name': 'y'}",
        "vjp(f)(TWO)[1]({'y': TWO, 'name': 'y'})",
    ),
    "unknown mode": ("def f(x):\n    return x * x", "jacobian(f, mode='fwd')"),
    "jacobian of None": ("def f(x):\n    x * x", "jacobian(f)(TWO)"),
    "jacobian of a list of any length": (
        "def f(x):\n    return [v * v for v in x]",
        "jacobian(f)(TWO)",
    ),
    "jacobian with respect to integers": (
        "def f(x):\n    return x * x",
        "jacobian(f)(np.arange(3))",
    ),
    "complex numbers on the way": (
        "def f(x):\n    z = 1j * x\n    return abs(z)",
        "jacobian(f)(TWO)",
    ),
    "derivative of a packed method": (
        "class Model:\n    def loss(self, x):\n        return x\n    def __repr__(self):\n"
        "        return 'Model()'\nf = Model().loss",
        "grad(jvp(f))",
    ),
    "integer in a program": (
        "def f(x):\n    return x * grad(lambda n: n * n)(3)",
        "grad(f)(2.0)",
    ),
    "unknown parameter in a program": (
        "def f(x):\n    return grad(lambda y: y * y, wrt='z')(x)",
        "grad(f)(2.0)",
    ),
    "unknown mode in a program": (
        "def f(x):\n    return jacobian(lambda y: y * y, mode='rev')(x)",
        "grad(f)(2.0)",
    ),
    "no tuple in a program": (
        "def f(x):\n    return hvp(lambda y: y.sum())(x, x).sum()",
        "grad(f)(TWO)",
    ),
    "tangent in a program": (
        "def f(x):\n    value, d = jvp(lambda y: y * y)((x,), (1.0,))\n    return d.sum()",
        "grad(f)(TWO)",
    ),
    "cotangent in a program": (
        "def f(x):\n    value, pullback = vjp(lambda y: y * y)(x)\n    return pullback(1.0).sum()",
        "grad(f)(TWO)",
    ),
    "pullback that is returned": (
        "def f(x):\n    value, pullback = vjp(lambda y: y * y)(x)\n    return pullback",
        "grad(f)(TWO)",
    ),
    "one pullback or another": (
        "def f(x):\n    if x[0] > 0:\n        value, pullback = vjp(lambda y: y * y)(x)\n"
        "    else:\n        value, pullback = vjp(lambda y: y + y)(x)\n"
        "    return pullback(x).sum()",
        "grad(f)(TWO)",
    ),
    "derivative of a library function": (
        "def f(x):\n    return elementwise_grad(np.tanh)(x).sum()",
        "grad(f)(TWO)",
    ),
    "derivative of a partial": (
        "from functools import partial\ndef power(n, x):\n    return x ** n\n"
        "def f(x):\n    return grad(partial(power, 3))(x)",
        "grad(f)(2.0)",
    ),
    "derivative that writes into what is around it": (
        "def f(x):\n    seen = np.zeros(2)\n    def inner(y):\n        seen[0] = y[0]\n"
        "        return (y * y).sum()\n    return grad(inner)(x).sum()",
        "grad(f)(TWO)",
    ),
    "gradient of an array in a program": (
        "def f(x):\n    return grad(lambda y: y * y)(x).sum()",
        "grad(f)(TWO)",
    ),
}


def message(name: str) -> str:
    program, call = CASES[name]
    file = f"<case: {name}>"
    linecache.cache[file] = (len(program), None, program.splitlines(True), file)
    space: dict[str, Any] = {"__name__": __name__, "np": np}
    space |= {mode.__name__: mode for mode in MODES}
    space |= {"TWO": TWO.copy(), "ONES": ONES, "THREE": THREE}
    exec(compile(program, file, "exec"), space)
    try:
        result = eval(call, space)
    except Exception as e:
        text = "\n".join([str(e), *getattr(e, "__notes__", [])])
        return f"{type(e).__name__}: {re.sub(r'0x[0-9a-f]+', '0x...', text)}"
    return f"NO ERROR: {result!r}"


def read() -> dict[str, str]:
    parts = GOLDEN.read_text().split("\n--- ")[1:] if GOLDEN.exists() else []
    return {head: body.strip() for head, _, body in (p.partition(" ---\n") for p in parts)}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    assert message(name) == read()[name]


@pytest.mark.parametrize("name", sorted({*CASES} - OF_PYTHON))
def test_there_is_one_root(name):
    text = message(name)
    cls = text.partition(":")[0]
    assert cls in {c.__name__ for c in AdcompileError.__subclasses__()}


def test_every_text_has_a_case():
    assert set(read()) == set(CASES)


def test_nan_is_no_error():
    def f(x):
        return (x * x).sum()

    result = grad(f)(np.array([np.nan, 2.0]))
    assert np.isnan(result[0]) and result[1] == 4.0


if __name__ == "__main__":
    texts = [f"--- {name} ---\n{message(name)}\n" for name in CASES]
    GOLDEN.write_text("\n" + "\n".join(texts))
