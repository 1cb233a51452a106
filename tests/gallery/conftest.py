"""Let the tests import the files beside them as `gallery.programs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
