"""`with gradient_of(x) as g:` where it is refused, and what is said of it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from adcompile import AdcompileError, clip_gradient, grad, gradient_of, stop_gradient

x = np.arange(1.0, 4.0)
V = np.ones(3)


def an_expression(x):
    with gradient_of(x * 2.0) as g:
        print(g)
    return np.sum(x)


def an_item(p):
    with gradient_of(p["W"]) as g:
        print(g)
    return np.sum(p["W"])


def a_global(x):
    with gradient_of(V) as g:
        print(g)
    return np.sum(x * V)


def an_integer(x, n):
    with gradient_of(n) as g:
        print(g)
    return np.sum(x * n)


def a_tree(p):
    with gradient_of(p) as g:
        print(g)
    return np.sum(p["W"])


def nothing(x):
    with gradient_of() as g:  # type: ignore[call-arg]
        print(g)
    return np.sum(x)


def two_targets(x):
    with gradient_of(x) as (a, b):
        print(a, b)
    return np.sum(x)


def a_name_that_is_taken(x):
    g = 9.81
    x = x * g
    with gradient_of(x) as g:
        print(g)
    return np.sum(x)


def a_variable_assigned(x):
    count = 0
    with gradient_of(x):
        count += 1
    return np.sum(x) * count


def an_array_written(x):
    u = x * 1.0
    with gradient_of(x) as g:
        u[0] = g[0]
    return np.sum(x) * u[0]


def a_list_of_the_function(x):
    norms = []
    with gradient_of(x) as g:
        norms.append(np.linalg.norm(g))
    return np.sum(x), norms


def a_return(x):
    with gradient_of(x) as g:
        if np.max(g) > 1.0:
            return np.sum(g)
    return np.sum(x)


def a_break(x):
    for _ in range(3):
        with gradient_of(x) as g:
            if g[0] > 0:
                break
        x = x * 2.0
    return np.sum(x)


def always_raising(x):
    y = x * 2.0
    with gradient_of(y) as g:
        raise ValueError(g)
    return np.sum(y)


def read_afterwards(x):
    with gradient_of(x) as g:
        norm = np.linalg.norm(g)
    return np.sum(x) * norm


def the_gradient_afterwards(x):
    with gradient_of(x) as g:
        g = g * 2.0
    return np.sum(x * g)


def nested(x):
    y = x * 2.0
    with gradient_of(x) as g, gradient_of(y) as k:
        print(g, k)
    return np.sum(y * x)


def another_rank(x):
    with gradient_of(x) as g:
        g = np.outer(g, g)
    return np.sum(x * x)


def no_number(x):
    with gradient_of(x) as g:
        g = f"{g}"
    return np.sum(x * x)


def no_header(x):
    m = gradient_of(x)
    with m as g:
        print(g)
    return np.sum(x * x)


def a_deleted_name(x):
    with gradient_of(x) as g:
        del g
    return np.sum(x * x)


def after_its_last_read(x):
    h = np.sin(x)
    s = np.sum(h)
    with gradient_of(h) as g:
        print(g)
    return s


def a_bound_that_does_not_fit(x):
    return clip_gradient(np.sum(x), x, 2.0)


def a_list_that_was_stopped(x):
    xs = [x, x * 2.0]
    ys = stop_gradient(xs)
    xs.append(x)
    return np.sum(ys[0] * xs[1])


def a_stopped_array_written(x):
    c = stop_gradient(x)
    c[0] = 3.0
    return np.sum(c * x)


HEADER = """
UnsupportedSyntax
    with gradient_of(x) as g:
    ^^^^^^^^^^^^^^^^^^^^^^^^^
"""
JUMP = f"""{HEADER}\
`return`, `break` and `continue` cannot leave this block
hint: it runs in the backward sweep: jump after it
"""


def _changed(name: str, hint: str) -> str:
    return f"""{HEADER}\
`{name}` is changed in this block, which runs in the backward sweep: the function would not see it
hint: {hint}
"""


P = ({"W": x},)
REFUSED = {
    an_expression: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(x * 2.0) as g:
                     ^^^^^^^
`gradient_of` takes the name of a variable, not an expression
hint: give it a name first, which what follows reads: `h = …`, `with gradient_of(h) as g:`
""",
    ),
    an_item: (
        P,
        """
UnsupportedSyntax
    with gradient_of(p["W"]) as g:
                     ^^^^^^
`gradient_of` takes the name of a variable, not an expression
hint: give it a name first, which what follows reads: `h = …`, `with gradient_of(h) as g:`
""",
    ),
    a_global: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(V) as g:
                     ^
`V` comes from outside of the function
hint: give it a name of the function's own, which what follows reads: `w = V`
""",
    ),
    an_integer: (
        (x, 2),
        """
UnsupportedSyntax
    with gradient_of(n) as g:
                     ^
`n` is a Python int: `gradient_of` takes a float or an array of floats
""",
    ),
    a_tree: (
        P,
        """
UnsupportedSyntax
    with gradient_of(p) as g:
                     ^
`p` is a dict of 1: `gradient_of` takes a float or an array of floats
hint: take what it holds by name: `W = params['W']`, `with gradient_of(W) as g:`
""",
    ),
    nothing: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of() as g:  # type: ignore[call-arg]
         ^^^^^^^^^^^^^
`gradient_of` takes one variable
hint: write `gradient_of(x)`
""",
    ),
    two_targets: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(x) as (a, b):
                           ^^^^^^
the gradient of a variable is given one name
hint: write `as g`
""",
    ),
    a_name_that_is_taken: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(x) as g:
                           ^
`g` is a variable of the function, which its gradient cannot be called
hint: call it something else: `as d_g`
""",
    ),
    a_variable_assigned: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(x):
    ^^^^^^^^^^^^^^^^^^^^
`count` is assigned in this block, which runs in the backward sweep: the function would not see it
hint: give it another name
""",
    ),
    an_array_written: ((x,), _changed("u", "make a copy in the block")),
    a_list_of_the_function: (
        (x,),
        _changed("norms", "append to a list from outside of the function"),
    ),
    a_return: ((x,), JUMP),
    a_break: ((x,), JUMP),
    always_raising: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(y) as g:
    ^^^^^^^^^^^^^^^^^^^^^^^^^
this block raises in any case
hint: raise under a condition: `assert`, `if`
""",
    ),
    read_afterwards: (
        (x,),
        """
TypeMismatch
    return np.sum(x) * norm
                       ^^^^
`norm` is assigned in a `with gradient_of` block, which runs in the backward sweep (see line …)
hint: read it in the block; the program itself does not have it
""",
    ),
    the_gradient_afterwards: (
        (x,),
        """
TypeMismatch
    return np.sum(x * g)
                      ^
`g` is assigned in a `with gradient_of` block, which runs in the backward sweep (see line …)
hint: read it in the block; the program itself does not have it
""",
    ),
    nested: (
        (x,),
        """
UnsupportedSyntax
    with gradient_of(x) as g, gradient_of(y) as k:
                              ^^^^^^^^^^^^^^
`gradient_of` in the block of another one
hint: write one `with` statement after the other
""",
    ),
    another_rank: (
        (x,),
        """
TypeMismatch
    with gradient_of(x) as g:
                           ^
`g` ends as a float64 array of rank 2, and cannot be the gradient of `x`, a float64 array of rank 1
hint: keep its shape, or make it one number, which holds for every element
""",
    ),
    no_number: (
        (x,),
        """
TypeMismatch
    with gradient_of(x) as g:
                           ^
`g` ends as a str, and cannot be the gradient of `x`, a float64 array of rank 1
hint: keep its shape, or make it one number, which holds for every element
""",
    ),
    no_header: (
        (x,),
        """
UnsupportedSyntax
    m = gradient_of(x)
        ^^^^^^^^^^^^^^
`gradient_of` is no function to be called
hint: write it in the header of a `with` statement: `with gradient_of(x) as g:`
""",
    ),
    a_deleted_name: (
        (x,),
        """
TypeMismatch
    with gradient_of(x) as g:
                           ^
`g` is deleted on some path to here (see line …)
""",
    ),
    after_its_last_read: (
        (x,),
        """
NotDifferentiable
    with gradient_of(h) as g:
    ^^^^^^^^^^^^^^^^^^^^^^^^^
no gradient flows through `h` here: the result does not depend on what is read of it after this line
hint: write the `with` right after the line that makes `h`, before it is read
""",
    ),
    a_bound_that_does_not_fit: (
        (x,),
        """
TypeMismatch
    return clip_gradient(np.sum(x), x, 2.0)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
a float64 array of rank 1 is no bound for the gradient of a float64 scalar
hint: give a number, or an array that broadcasts to it
""",
    ),
    a_list_that_was_stopped: (
        (x,),
        """
UnsupportedSyntax
    xs.append(x)
    ^^^^^^^^^^^^
this list cannot be written: `stop_gradient` was given it, and returned it
hint: make a copy first
""",
    ),
    a_stopped_array_written: (
        (x,),
        """
AliasError
    return np.sum(c * x)
                  ^^^^^
cannot tell whether `x` shares memory with `c`, which line … writes
hint: write `c = c.copy()` before line … if they are to be two arrays; else write into `x`
""",
    ),
}


def message(f, args) -> str:
    """What is said, but for the place of this file."""
    with pytest.raises(AdcompileError) as caught:
        grad(f)(*args)
    first, *rest = str(caught.value).splitlines()
    text = "\n".join([type(caught.value).__name__, *rest]) + "\n"
    return re.sub(r"line \d+", "line …", text)


@pytest.mark.parametrize("f", REFUSED, ids=lambda f: f.__name__)
def test_refused(f):
    args, expected = REFUSED[f]
    assert message(f, args) == expected.lstrip("\n")
