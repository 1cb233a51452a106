"""Bad programs and bad inputs, and the texts that a user gets for them.

The texts are in `tests/data/errors.txt`; `python tests/test_errors_golden.py` writes it anew, and
a change in it is read in review.
"""

from __future__ import annotations

import linecache
import re
from pathlib import Path

import numpy as np
import pytest

from adcompile import AdcompileError, grad

GOLDEN = Path(__file__).parent / "data" / "errors.txt"

TWO = np.array([2.0, 3.0])
ONES = np.ones((2, 3))

# Name: the program, which defines f, and what is called.
CASES = {
    "write into an array": ("def f(x):\n    x[0] = 1.0\n    return x.sum()", "grad(f)(TWO)"),
    "augmented write": ("def f(x):\n    x += 1.0\n    return x.sum()", "grad(f)(TWO)"),
    "write into an attribute": ("def f(x):\n    x.shape = (2, 1)\n    return x", "grad(f)(TWO)"),
    "out": ("def f(x):\n    np.exp(x, out=x)\n    return x.sum()", "grad(f)(TWO)"),
    "sort in place": ("def f(x):\n    x.sort()\n    return x.sum()", "grad(f)(TWO)"),
    "comprehension": (
        "def f(x):\n    return sum([v * v\n                for v in x])",
        "grad(f)(TWO)",
    ),
    "generator": ("def f(x):\n    yield x", "grad(f)(TWO)"),
    "async": ("async def f(x):\n    return x", "grad(f)(2.0)"),
    "try": ("def f(x):\n    try:\n        return x\n    except E:\n        pass", "grad(f)(2.0)"),
    "match": ("def f(x):\n    match x:\n        case 1:\n            pass", "grad(f)(2.0)"),
    "walrus": ("def f(x):\n    return (y := x) * y", "grad(f)(2.0)"),
    "bad format": ("def f(x):\n    print(f'at {x.ndim:q}')\n    return x.sum()", "grad(f)(TWO)"),
    "global": ("def f(x):\n    global W\n    W = x\n    return x", "grad(f)(2.0)"),
    "del": ("def f(x):\n    y = x\n    del y\n    return x", "grad(f)(2.0)"),
    "class": ("def f(x):\n    class A:\n        pass\n    return x", "grad(f)(2.0)"),
    "import": ("def f(x):\n    import math\n    return math.sin(x)", "grad(f)(2.0)"),
    "with open": ("def f(x):\n    with open('p') as g:\n        return x", "grad(f)(2.0)"),
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
    "gradient of a gradient": ("def f(x):\n    return x * x", "grad(grad(f))"),
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
    "wide characters": ("def f(x):\n    größe = ['日本', *[x for x in x]]", "grad(f)(2.0)"),
    "mismatched shapes": (
        "def f(x, y):\n    z = x @ y\n    return (z * z).sum()",
        "grad(f)(ONES, ONES)",
    ),
    "missing argument": ("def f(x, y):\n    return x * y", "grad(f)(2.0)"),
}


def message(name: str) -> str:
    program, call = CASES[name]
    file = f"<case: {name}>"
    linecache.cache[file] = (len(program), None, program.splitlines(True), file)
    space = {"np": np, "grad": grad, "TWO": TWO.copy(), "ONES": ONES}
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


@pytest.mark.parametrize("name", sorted({*CASES} - {"mismatched shapes", "missing argument"}))
def test_there_is_one_root(name):
    program, call = CASES[name]
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
