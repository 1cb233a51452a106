"""Let the tests import the files beside them as `bench.programs`, as run.py does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
