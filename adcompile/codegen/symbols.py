"""Names for what stands outside a generated function: modules, functions, globals, constants.

A name that is given here is never given to a local variable. What a plain import can reach is
imported in the text; everything else is handed over in a namespace that the text is run in.
"""

from __future__ import annotations

import builtins
import cmath
import importlib
import keyword
import math
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from adcompile.codegen import nodes
from adcompile.codegen.nodes import Node, gast
from adcompile.ir.core import GlobalRef

BUILTINS = frozenset(dir(builtins))
# Modules whose contents are written `module.name`, and how the module is imported.
MODULES = {
    "numpy": ("np", "import numpy as np"),
    "numpy.linalg": ("np.linalg", "import numpy as np"),
    "numpy.fft": ("np.fft", "import numpy as np"),
    "numpy.random": ("np.random", "import numpy as np"),
    "math": ("math", "import math"),
    "cmath": ("cmath", "import cmath"),
    "scipy.special": ("special", "from scipy import special"),
    "adcompile.runtime": ("runtime", "from adcompile import runtime"),
}
_PREFERRED = {"absolute": "abs", "true_divide": "divide", "remainder": "mod"}


class Symbols:
    """The outside names of one generated text."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.namespace: dict[str, Any] = {}
        self.globals: dict[str, GlobalRef] = {}
        self.imports: dict[str, str] = {}  # bound name → the line that binds it
        self.reserved = frozenset(reserved)  # names of parameters, which cannot be changed
        self.taken: set[str] = set(reserved) | set(keyword.kwlist) | {"_"}
        # By id: the name and the object (kept alive, so that ids stay unique), and its import.
        self._objects: dict[int, tuple[str, Any, str | None]] = {}
        self._refs: dict[GlobalRef, str] = {}
        self._renamed: dict[str, str] = {}  # modules whose usual name is a parameter's
        self._written: dict[str, str] = {}  # modules that are imported, and how they are written
        self._nodes: dict[str, Node] = {}  # functions by their paths

    def restart(self) -> None:
        """Keep all names, and forget what has been used of them."""
        self.namespace, self.globals, self.imports, self._written = {}, {}, {}, {}

    # --- names -----------------------------------------------------------------------------------

    def fresh(self, base: str) -> str:
        """A name like `base` that nothing has yet, taken from now on."""
        base = base if base.isidentifier() else "value"
        name, k = base, 2
        while name in self.taken:
            name, k = f"{base}_{k}", k + 1
        self.taken.add(name)
        return name

    def function(self, fn: Callable[..., Any], hint: str = "") -> Node:
        """An expression for a function or class; `hint` is source text that may name an alias."""
        path = self._path(fn, hint)
        if path not in self._nodes:
            self._nodes[path] = nodes.dotted(path)
        return self._nodes[path]

    def variable(self, ref: GlobalRef) -> str:
        """The name of a global that is read anew at each call."""
        if ref not in self._refs:
            self._refs[ref] = self.fresh(ref.name)
        name = self._refs[ref]
        if name not in self.globals:
            self.globals[name] = ref
            self.namespace[name] = ref.read()
        return name

    def object(self, value: Any, base: str) -> str:
        """The name of a namespace entry that holds `value`."""
        if id(value) not in self._objects:
            self._objects[id(value)] = self.fresh(base), value, None
        return self._use(value)

    def _use(self, value: Any) -> str:
        name, _, line = self._objects[id(value)]
        if line is None:
            self.namespace[name] = value
        else:
            self.imports[name] = line
        return name

    def _path(self, fn: Any, hint: str) -> str:
        paths = _paths(fn)
        if paths:
            prefix, attr = _choose(paths, hint)
            if prefix:
                return f"{self._import(prefix)}.{attr}"
            if attr not in self.reserved:
                self.taken.add(attr)
                return attr
        if id(fn) in self._objects:
            return self._use(fn)
        name = getattr(fn, "__name__", type(fn).__name__)
        if _importable(fn):
            bound = self.fresh(name)
            alias = "" if bound == name else f" as {bound}"
            self._objects[id(fn)] = bound, fn, f"from {fn.__module__} import {name}{alias}"
            return self._use(fn)
        return self.object(fn, name.strip("<>"))

    def _import(self, prefix: str) -> str:
        """Import what `prefix` (such as `np.linalg`) starts with; returns how it is written."""
        if prefix not in self._written:
            self._written[prefix] = self._import_anew(prefix)
        return self._written[prefix]

    def _import_anew(self, prefix: str) -> str:
        root, dot, rest = prefix.partition(".")
        name, line = root, next(line for path, line in MODULES.values() if path == prefix)
        if root in self.reserved:  # a parameter has its name
            if prefix not in self._renamed:
                self._renamed[prefix] = self.fresh(root)
            name = self._renamed[prefix]
            line = f"{line.partition(' as ')[0]} as {name}"
        self.imports[name] = line
        self.taken.add(name)
        return name + dot + rest

    # --- constants -------------------------------------------------------------------------------

    def constant(self, value: Any, hint: str = "") -> Node:
        """An expression for a Python object."""
        match value:
            case int() | float() if type(value) in (int, float):
                return self._number(value)
            case None | bool() | str() | bytes() | types.EllipsisType():
                return nodes.literal(value)
            case complex() if type(value) is complex:
                return self._complex(value)
            case tuple() | list() if type(value) in (tuple, list):
                items = [self.constant(v, hint) for v in value]
                node = gast.Tuple if type(value) is tuple else gast.List
                return node(items, nodes.LOAD)
            case dict() if type(value) is dict:
                keys = [self.constant(k, hint) for k in value]
                return gast.Dict(keys, [self.constant(v, hint) for v in value.values()])
            case slice():
                parts = (value.start, value.stop, value.step)
                return nodes.call("slice", [self.constant(p, hint) for p in parts])
            case range():
                parts = (value.start, value.stop, value.step)
                return nodes.call("range", [self.constant(p, hint) for p in parts])
            case np.dtype():
                return self._dtype(value)
            case np.generic():
                return nodes.call(self.function(type(value)), [self.constant(value.item(), hint)])
            case types.ModuleType():
                return self._module(value)
        if callable(value):
            return self.function(value, hint)
        return nodes.name(self.object(value, "const"))

    def _number(self, value: float) -> Node:
        if value != value or value in (math.inf, -math.inf):
            constant = "nan" if value != value else "inf"
            node = nodes.dotted(f"{self._import('np')}.{constant}")
            return gast.UnaryOp(gast.USub(), node) if value < 0 else node
        if math.copysign(1.0, value) < 0:
            return gast.UnaryOp(gast.USub(), nodes.literal(-value))
        return nodes.literal(value)

    def _complex(self, value: complex) -> Node:
        if value.real == 0.0 and cmath.isfinite(value) and math.copysign(1.0, value.imag) > 0:
            return nodes.literal(value)
        return nodes.call("complex", [self._number(value.real), self._number(value.imag)])

    def _dtype(self, value: np.dtype) -> Node:
        if value == np.dtype(value.type):
            return self.function(value.type)
        return nodes.call(f"{self._import('np')}.dtype", [nodes.literal(value.str)])

    def _module(self, value: types.ModuleType) -> Node:
        if value.__name__ in MODULES:
            return nodes.dotted(self._import(MODULES[value.__name__][0]))
        return nodes.name(self.object(value, value.__name__.split(".")[-1]))


def _importable(fn: Any) -> bool:
    """Whether a plain import reaches `fn` in a process that knows none of the user's files."""
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    if not module or not name.isidentifier() or module == "__main__":
        return False
    top = module.split(".")[0]
    installed = top in sys.stdlib_module_names or "site-packages" in str(
        getattr(sys.modules.get(top), "__file__", "")
    )
    return installed and getattr(sys.modules.get(module), name, None) is fn


def _choose(paths: list[tuple[str, str]], hint: str) -> tuple[str, str]:
    """The alias that the user's text has, or the function's own name."""
    if len(paths) > 1 and hint:
        for prefix, attr in paths:
            if f".{attr}(" in hint or f".{attr}," in hint or f".{attr})" in hint:
                return prefix, attr
    return paths[0]


_Table = dict[int, tuple[Any, list[tuple[str, str]]]]
_tables: dict[str, _Table] = {}


def _paths(fn: Any) -> list[tuple[str, str]]:
    """The ways to write `fn` by way of a known module, best first."""
    known = (
        _aliases().get(id(fn))
        or _optional("scipy.special").get(id(fn))
        or _optional("adcompile.runtime").get(id(fn))
    )
    return known[1] if known is not None and known[0] is fn else []


def _aliases() -> _Table:
    """For each public object of the known modules: the object, and the ways to write it."""
    if "known" not in _tables:
        table = _tables["known"] = {}
        for attr, obj in vars(builtins).items():
            if callable(obj) or obj is NotImplemented:
                table[id(obj)] = (obj, [("", attr)])
        for module in ("math", "cmath", "numpy", "numpy.linalg", "numpy.fft", "numpy.random"):
            _add_module(table, module)
    return _tables["known"]


def _optional(module: str) -> _Table:
    """The same for a module that may not be there: looked at once someone has imported it."""
    if module not in _tables:
        if module not in sys.modules:
            return {}
        _add_module(_tables.setdefault(module, {}), module)
    return _tables[module]


def _add_module(table: _Table, module: str) -> None:
    prefix = MODULES[module][0]
    for attr, obj in sorted(vars(importlib.import_module(module)).items()):
        if attr.startswith("_") or not callable(obj):
            continue
        known = table.setdefault(id(obj), (obj, []))[1]
        if known and known[0][0] != prefix:
            continue  # one module a function: `bool` is a builtin, whoever hands it on
        own = getattr(obj, "__name__", attr)
        if attr == _PREFERRED.get(own, own):
            known.insert(0, (prefix, attr))
        else:
            known.append((prefix, attr))
