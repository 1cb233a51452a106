"""From text to a function that runs, and to a file that runs without adcompile.

The text is registered with `linecache` under a name such as `<adcompile loss_grad 1>`: tracebacks,
debuggers and coverage show it. An exception that comes out of it gets a note that says which line
of the user's program the failing line belongs to.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import pprint
import re
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompile import runtime
from adcompile.errors import SignatureError
from adcompile.ir.core import Loc
from adcompile.threads import COMPILING

if TYPE_CHECKING:
    from adcompile.codegen.python import Generated

__all__ = ["add_note", "explain", "load", "standalone"]

_numbers = itertools.count(1)
_lines: dict[str, dict[int, Loc]] = {}  # of each file name: where its lines come from


def load(generated: Generated, name: str) -> types.FunctionType:
    """The function `name` of a generated text."""
    file = f"<adcompile {name} {next(_numbers)}>"
    text = generated.text
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    _lines[file] = generated.lines
    namespace = dict(generated.namespace)
    exec(compile(text, file, "exec"), namespace)
    function = namespace[name]
    weakref.finalize(function, _forget, file).atexit = False
    return function


def _forget(file: str) -> None:
    linecache.cache.pop(file, None)
    _lines.pop(file, None)


def explain(error: Exception) -> None:
    """Add a note to an error of generated code: the user's line that the failing one is from."""
    frame = error.__traceback__
    loc = None
    while frame is not None:
        lines = _lines.get(frame.tb_frame.f_code.co_filename)
        if lines is not None:
            loc = lines.get(frame.tb_lineno, loc)
        frame = frame.tb_next
    if loc is not None:
        add_note(error, loc)


def add_note(error: Exception, loc: Loc) -> None:
    stmt = loc.stmt
    note = f"this comes from {stmt.file}:{stmt.line}, in function {stmt.function}\n    {stmt.text}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


# --- files --------------------------------------------------------------------------------------

_RUNTIME = "from adcompile import runtime"


def standalone(generated: Generated, title: str) -> str:
    """The text of a module that needs NumPy alone (and what the user's program itself imports).

    Helpers of adcompile are written into it. Raises SignatureError where it would need an object
    that has no text, such as a large global array.
    """
    body = generated.text
    for line in generated.imports:
        body = body.replace(f"{line}\n", "", 1)
    imports = [line for line in generated.imports if line != _RUNTIME]
    parts = []
    if _RUNTIME in generated.imports:
        body, helpers = _inline_runtime(body)
        parts += helpers
        imports = sorted({*imports, "import numpy as np"})
    plain = {k: v for k, v in generated.namespace.items() if not _is_importable_class(v)}
    for name, cls in generated.namespace.items():
        if name not in plain:
            alias = "" if cls.__name__ == name else f" as {name}"
            imports.append(f"from {cls.__module__} import {cls.__name__}{alias}")
    constants = [f"{name} = {_literal(value, name)}" for name, value in plain.items()]
    if any("np." in c for c in constants) and "import numpy as np" not in imports:
        imports = sorted({*imports, "import numpy as np"})
    head = [f'"""{title}"""', "\n".join(imports), "\n".join(constants)]
    return (
        "\n\n".join(p for p in head if p) + "\n\n\n" + "\n\n\n".join([*parts, body.strip()]) + "\n"
    )


def _is_importable_class(value: Any) -> bool:
    """Whether `value` is a class at the top level of a module, such as a model's."""
    if not isinstance(value, type) or value.__module__ == "__main__":
        return False
    return getattr(sys.modules.get(value.__module__), value.__qualname__, None) is value


def _inline_runtime(text: str) -> tuple[str, list[str]]:
    """`text` with `runtime.f` written as `f`, and the source of each such `f`."""
    used = sorted(set(re.findall(r"\bruntime\.(\w+)", text)))
    used = [name for name in used if hasattr(runtime, name)]
    for name in used:
        text = re.sub(rf"\bruntime\.{name}\b", name, text)
    return text, [_without_annotations(getattr(runtime, name)) for name in used]


def _without_annotations(function: types.FunctionType) -> str:
    with COMPILING:
        tree = ast.parse(inspect.getsource(function))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def _literal(value: Any, name: str) -> str:
    if isinstance(value, np.ndarray) and value.size <= 10_000 and value.dtype.kind in "biufc":
        items = pprint.pformat(value.tolist(), width=90, compact=True)
        if np.isfinite(value).all():
            return f"np.array({items}, dtype=np.{value.dtype.name})"
    if isinstance(value, np.generic) and np.isfinite(value):
        return f"np.{value.dtype.name}({value.item()!r})"
    if isinstance(value, np.dtype):
        return f"np.dtype({value.str!r})"
    if isinstance(value, bool | int | str | bytes | None | range):
        return repr(value)
    if isinstance(value, float | complex):
        return repr(value) if np.isfinite(value) else f"{type(value).__name__}({str(value)!r})"
    if isinstance(value, tuple) and type(value) is tuple:
        inner = [_literal(v, name) for v in value]
        return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
    raise SignatureError(
        f"cannot export: the function uses `{name}`, a {type(value).__name__} that has no text",
        hint="pass it as an argument, or define it at the top level of a module",
    )
