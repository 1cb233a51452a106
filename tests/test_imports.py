"""The modules of the frontend call each other: each can nevertheless be imported first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import adcompile

ROOT = Path(adcompile.__file__).parents[1]
ALL = """
import importlib, os, sys
import astunparse, gast, numpy

for name in sys.argv[1:]:
    if os.fork() == 0:
        try:
            importlib.import_module(name)
        except BaseException as e:
            print(name, type(e).__name__, e, flush=True)
        os._exit(0)
    os.wait()
"""


def test_each_module_of_the_frontend_on_its_own(tmp_path):
    files = (ROOT / "adcompile/frontend").glob("[a-z]*.py")
    names = sorted(f"adcompile.frontend.{p.stem}" for p in files)
    assert len(names) > 50
    script = tmp_path / "all.py"
    script.write_text(ALL)
    run = [sys.executable, script, *names]
    result = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
