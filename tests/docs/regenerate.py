"""Write what the blocks of README and docs print, and the tables, into the pages.

python -m tests.docs.regenerate [page …]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.pages import PAGES, name_of, regenerated


def main(names: list[str]) -> None:
    for page in PAGES:
        if names and name_of(page) not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = regenerated(page, Path(folder))
        changed = text != page.read_text(encoding="utf-8")
        page.write_text(text, encoding="utf-8")
        print("changed  " if changed else "unchanged", name_of(page))


if __name__ == "__main__":
    main(sys.argv[1:])
