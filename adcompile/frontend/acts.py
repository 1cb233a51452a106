"""Calls that do something besides giving a result: logging, warnings, clocks, the system.

They stay where they are, in order, once each. What goes in may be differentiated: nothing comes
back that way. What comes out has a type where that is known.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from typing import Any

import gast

from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Kwargs
from adcompile.frontend.operands import Known, Operand
from adcompile.ir.types import BOOL, FLOAT, INT, NONE, Opaque, Type

# Modules of the standard library whose functions act; the others compute.
_MODULES = {
    *("logging", "warnings", "_warnings", "time", "os", "posix", "nt", "posixpath", "ntpath"),
    *("sys", "datetime", "_datetime", "json", "pathlib", "tempfile", "uuid", "gc", "threading"),
    *("_thread", "traceback", "pprint", "platform", "resource", "socket", "shutil", "subprocess"),
    *("getpass", "locale", "signal", "atexit", "io", "_io", "pickle", "_pickle", "csv", "_csv"),
}
_LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log")
_RESULTS: dict[Any, Type] = {
    time.time: FLOAT,
    time.perf_counter: FLOAT,
    time.monotonic: FLOAT,
    time.process_time: FLOAT,
    time.thread_time: FLOAT,
    time.time_ns: INT,
    time.perf_counter_ns: INT,
    time.monotonic_ns: INT,
    time.process_time_ns: INT,
    time.sleep: NONE,
    warnings.warn: NONE,
    logging.getLogger: Opaque(logging.Logger),
    os.getpid: INT,
    os.path.join: Opaque(str),
    os.getcwd: Opaque(str),
    **{getattr(logging, name): NONE for name in _LEVELS},
}
_METHODS: dict[str, Type] = {
    **dict.fromkeys(_LEVELS, NONE),
    "isEnabledFor": BOOL,
    "hasHandlers": BOOL,
    "getEffectiveLevel": INT,
    "setLevel": NONE,
}


def is_act(fn: Any, module: str) -> bool:
    """Whether a function acts, and is called as it is."""
    return module in _MODULES or getattr(fn, "__module__", None) in _MODULES


def call(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand:
    t = _RESULTS.get(fn, Opaque(object))
    made = cx.emit(node, fn, args, kwargs, effect=True, types=[t])
    return Known(None) if t == NONE else made


def method_type(cls: type, name: str) -> Type:
    """The type of what a method of an object of a library gives."""
    if issubclass(cls, logging.Logger | logging.LoggerAdapter):
        return _METHODS.get(name, Opaque(object))
    return Opaque(object)
