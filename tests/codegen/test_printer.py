"""The printer: what parses is printed back, and what is printed parses back."""

from __future__ import annotations

import sys
import warnings

import pytest

from adcompile.codegen.printer import to_text
from tests.codegen.trees import GENERATED, expression, parse, table

# --- what comes back as it was --------------------------------------------------------------------

EXPRESSIONS = """
a
a.b.c(d)[e].f
a + b - c
a - (b - c)
a + (b + c)
(a + b) * c
a * b + c
a / (b * c)
a @ b.T @ c
a // b % c
a << b >> c
a | b ^ c & d
(a | b) & c
a ** b ** c
(a ** b) ** c
-a ** 2
(-a) ** 2
a ** -b
(-1) ** 2
2 ** -1
-a * b
-(a * b)
~a
+a
--a
not a
not a == b
(not a) == b
not (a and b)
not a and b
a and b or c
a and (b or c)
(a and b) and c
a < b <= c
(a < b) == c
a is not None
a not in b
a if b else c
(a if b else c) if d else e
a if b else c if d else e
(a if b else c) + d
lambda: 0
lambda x: x + 1
lambda x, /, y=1, *args, z, k=2, **kw: (x, y)
lambda *, k: k
lambda *a: a
(lambda x: x)(1)
a or (lambda: b)
(yield)
(yield a, b)
(yield from a)
await a
await a.b(c)
(await a).b
await a ** b
await (a ** b)
-await a
(a := 1)
f(a := 1)
f(a=(b := 1))
[a := 1, a ** 2]
[(y := f(x)) for x in z]
f(*a, b, k=1, **c)
f(*(a or b))
f(x for x in y)
f((x for x in y), z)
(x for x in y)
[x for x in y if x if z]
[x for x, y in (a if b else c)]
[x for x in (lambda: y)]
{x for x in y}
{x: y for x, y in z}
{**a, "b": 1, **(c or d)}
{}
{a, b}
[]
[*a, b]
()
(a,)
(a, b)
((a, b), c)
x[0]
x[-1]
x[i + 1:]
x[1:-1]
x[:]
x[::2]
x[1:2:3]
x[1:2, ::2]
x[..., None]
x[:, 0]
x[a:b,]
x[()]
x[(a,)]
x[a, b]
x[*a]
x[*a, b]
x[(a, b), c]
x[(y := 1)]
x[lambda: 0]
1
(1).real
1.0.real
1e+300
1e999
-1e999
2j
True
None
...
1e-12
"a"
"it's"
'say "a"'
"it's \\"a\\""
"\\n\\t\\\\"
"é"
"\\x00\\ud800"
b"a"
b'"'
b"\\xff'"
f"{a}"
f"{a!r:>{b}.2f} and {c}"
f"{{{a}}}"
f"{ {a: b}[c]}"
f"{(lambda: a)()}"
f"{d['k']}"
f'say "{a}"'
f"{a if b else c}, {a != b}"
f"{f'{a}'}"
"""

STATEMENTS = """
a = b
a = b = c
a, b = b, a
a, *b = c
(a,) = b
[a, b] = c
() = a
a = yield b
a = yield from b
a = (b := c)
a += b, c
a += yield
a @= b
a **= b
a //= b
x[i] += x[i + 1] * w[i]
a: int
a: int = 1
(a): int = 1
a.b: int = yield
a: tuple = b, c
return
return a
return a, b
return *a, b
return (a,)
return (yield)
return value, ((d_W1, d_b1), (d_W2, d_b2))
yield a, b
await a
(a := b)
del a, b[0]
del (a, b), c
pass
break
continue
assert a
assert a, "b"
assert (a, b)
raise
raise a
raise a from b
global a, b
nonlocal a
import a, b.c as d
from a import b, c as d
from . import a
from ..a import *
"""

BLOCKS = """
for i, v in enumerate(x):
    pass
else:
    pass
---
for x in *a, b:
    pass
---
for x, *y in a, b:
    break
---
while x := f():
    continue
else:
    pass
---
if (n := f()) > 3:
    pass
elif a:
    pass
---
if a:
    pass
elif b:
    pass
elif c:
    pass
else:
    pass
---
with a:
    pass
---
with a as b, c as (d, e), f:
    pass
---
with ((a, b)):
    pass
---
with ((a,)):
    pass
---
with (a, b) as c:
    pass
---
with (a, b), c:
    pass
---
with (yield):
    pass
---
try:
    pass
except:
    pass
---
try:
    pass
except (a, b) as e:
    pass
except c:
    pass
else:
    pass
finally:
    pass
---
try:
    pass
except* a as e:
    pass
---
async def f():
    async for x in y:
        pass
    async with a as b:
        pass
    return [x async for x in y]
---
@a.b(c)
@d
def f(a, b: int, /, c=1, *args: int, d, e: int = 2, **kw: str) -> tuple[int, int]:
    pass
---
def f(*args: *Ts):
    pass
---
def f(*, a):
    pass
---
def f(a, /):
    pass
---
def f():
    \"\"\"Of one line.\"\"\"
---
def f():
    \"\"\"Of several.

    With \\\\ and \\"\"\" and "quotes\\"\"\"\"
    return a
---
class A:
    \"\"\"A class.\"\"\"
    x: int = 1
---
class A(B, *c, metaclass=D, **e):
    def f(self):
        "no docstring".join(x)
---
match a:
    case 1 | -2 | 1 + 2j | "a" | b.c:
        pass
    case None | True:
        pass
    case [a, *_] as b if c:
        pass
    case {"k": v, **rest}:
        pass
    case {}:
        pass
    case A(x, [y, z], k=1 | 2 as w):
        pass
    case (1 as x) | (2 as x):
        pass
    case _:
        pass
---
match a, *b:
    case x:
        pass
---
match -a:
    case []:
        pass
"""


@pytest.mark.parametrize("text", EXPRESSIONS.strip().split("\n"))
def test_expression(text: str) -> None:
    assert to_text(expression(text)) == text


@pytest.mark.parametrize("text", STATEMENTS.strip().split("\n"))
def test_simple_statement(text: str) -> None:
    (stmt,) = parse(text).body
    assert to_text(stmt) == text + "\n"


@pytest.mark.parametrize("text", table(BLOCKS) + table(GENERATED))
def test_block(text: str) -> None:
    text = text.rstrip("\n") + "\n"
    assert to_text(parse(text)) == text
    assert to_text(parse(text).body[0]) == text


NEW_SYNTAX = [  # since which Python
    ((3, 12), "type A = int"),
    ((3, 12), "type A[T] = list[T]"),
    ((3, 12), "def f[T: int, *Ts, **P](x: T) -> T:\n    pass"),
    ((3, 12), "class A[T: (int, str)](B):\n    pass"),
    ((3, 13), "def f[T = int, *Ts = *a, **P = []]():\n    pass"),
]


def test_type_parameters() -> None:
    for since, text in NEW_SYNTAX:
        if sys.version_info >= since:
            assert to_text(parse(text)) == text + "\n"
        else:
            with pytest.raises(SyntaxError):
                parse(text)


def test_module_docstring_and_empty_module() -> None:
    text = '"""What it is for.\n\nAnd more.\n"""\nimport numpy as np\n'
    assert to_text(parse(text)) == text
    assert to_text(parse("")) == "\n"


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in table(BLOCKS):
            to_text(parse(text))
