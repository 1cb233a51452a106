"""How long importing and compiling take, and how that grows with the length of the program."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench.programs import mlp_case

import adcompile

IMPORT = """
import time
start = time.perf_counter()
import adcompile
print(time.perf_counter() - start)
"""
LENGTHS = (250, 500, 1000, 2000)
LINES = (
    "v{k} = v{j} * x + np.sin(v{i})",
    "v{k} = np.tanh(v{j}) / (1.0 + v{i} * v{i})",
    "v{k} = 0.5 * (v{j} - v{i}) + np.exp(-v{j} * v{j})",
    "v{k} = np.where(v{j} > 0, v{j}, 0.1 * v{i})",
)


def import_seconds(repeats: int) -> list[float]:
    """Seconds that `import adcompile` takes in processes of its own, its bytecode being there."""
    root = str(Path(adcompile.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": root}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    times: list[float] = []
    for _ in range(repeats + 1):  # the first writes the bytecode
        run = [sys.executable, "-c", IMPORT]
        done = subprocess.run(run, env=env, check=True, capture_output=True, text=True)
        times.append(float(done.stdout))
    return times[1:]


def mlp_seconds(repeats: int) -> float:
    """Seconds for the gradient of the small network; the rules it uses were compiled before."""
    case = mlp_case(32, 2, 16, 1, np.float64)
    return seconds(case.program, case.args, repeats)


def straight_line_seconds(length: int, repeats: int) -> float:
    return seconds(straight_line(length), (np.ones(3),), repeats)


def seconds(program: Callable[..., Any], args: tuple[Any, ...], repeats: int) -> float:
    """Of the processor, which do not grow when others use it; garbage collection is part of it."""
    compile_gradient(program, args)
    times: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        compile_gradient(program, args)
        times.append(time.process_time() - start)
    return statistics.median(times)


def compile_gradient(program: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return adcompile.grad(program).lower(*args).call


def straight_line(length: int) -> Callable[..., Any]:
    """A program of `length` assignments, each from the two before it."""
    lines = [LINES[k % len(LINES)].format(k=k, j=k - 1, i=k - 2) for k in range(2, length + 2)]
    body = ["v0 = x", "v1 = x + 1.0", *lines, f"return np.sum(v{length + 1})"]
    text = "import numpy as np\n\n\ndef program(x):\n    " + "\n    ".join(body) + "\n"
    return _module(text, f"straight_line_{length}").program


def _module(text: str, name: str) -> Any:
    """Import `text` from a file, which is where a compiler finds the source of a function."""
    path = Path(tempfile.mkdtemp()) / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
