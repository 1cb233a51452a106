"""README and docs as programs: their blocks, what these print, and tables made from the code.

The Python blocks of a page are one program in a file of its own, so that the source of its
functions can be read. A block of text that directly follows one is what it prints; so is any other
block below the comment `<!-- printed -->` (generated code, which is nicer with colours). Between
`<!-- table: name -->` and `<!-- end -->` stands a table that is printed from the code.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import scipy.special  # noqa: F401  (its rules are listed where it is imported)

from adcompile.frontend.fence import Row, docs_table
from adcompile.rules import registry
from tests.registered import forgotten

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTED = "<!-- printed -->"


@dataclass(slots=True)
class Block:
    """A fenced block: `lines[start:end]` of its page are its text."""

    language: str
    start: int
    end: int
    text: str
    printed: bool  # it is what the Python block before it prints


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(lines: list[str]) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    between = [""]  # what stands between the last block and here
    k = 0
    while k < len(lines):
        if not lines[k].startswith("```"):
            between.append(lines[k].strip())
            k += 1
            continue
        end = next(j for j in range(k + 1, len(lines)) if lines[j].rstrip() == "```")
        language = lines[k][3:].strip()
        follows = found and found[-1].language == "python" and not found[-1].printed
        near = not any(line and not line.startswith("<") for line in between)
        printed = bool(follows) and near and (language == "text" or PRINTED in between)
        text = "".join(line + "\n" for line in lines[k + 1 : end])
        found.append(Block(language, k + 1, end, text, printed))
        between = []
        k = end + 1
    return found


def outputs_of(page: Path, blocks: list[Block], folder: Path) -> list[str]:
    """What each Python block of a page prints; all are run in `folder`, as one program."""
    programs = [b.text for b in blocks if b.language == "python" and not b.printed]
    stem = page.stem.lower().replace("-", "_")
    file = f"{stem}.py"
    text = "\n\n".join(programs)
    (folder / file).write_text(text, encoding="utf-8")
    module = types.ModuleType(stem)
    printed = io.StringIO()
    ends: list[int] = []  # where the output of each block ends
    vars(module)["_block_ends"] = lambda: ends.append(printed.tell())
    tree = ast.parse(text, file)
    tree.body = [*_with_marks(tree, programs)]
    code = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
    with _at_home(module, folder), contextlib.redirect_stdout(printed):
        exec(code, vars(module))
    whole = printed.getvalue()
    return [whole[a:b] for a, b in zip([0, *ends], ends)]


def _with_marks(tree: ast.Module, programs: list[str]) -> Iterator[ast.stmt]:
    """The statements of a page, with a call of `_block_ends()` after those of each block."""
    statements = iter([*tree.body, None])
    stmt = next(statements)
    last = 0
    for program in programs:
        last += program.count("\n") + 2
        while stmt is not None and stmt.lineno < last:
            yield stmt
            stmt = next(statements)
        yield ast.parse("_block_ends()").body[0]


@contextlib.contextmanager
def _at_home(module: types.ModuleType, folder: Path) -> Iterator[None]:
    """In `folder`, as a program that was started there. Rules that it registers are forgotten."""
    before, known = Path.cwd(), set(sys.modules)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        with forgotten():
            yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if name == module.__name__ or (file and Path(file).is_relative_to(folder)):
                del sys.modules[name]


def regenerated(page: Path, folder: Path) -> str:
    """The text of a page with its outputs and tables as they are now."""
    lines = page.read_text(encoding="utf-8").splitlines()
    blocks = blocks_of(lines)
    outputs = iter(outputs_of(page, blocks, folder))
    changes: list[tuple[int, int, list[str]]] = []
    for block, after in zip(blocks, [*blocks[1:], None]):
        if block.language != "python" or block.printed:
            continue
        output = [line.rstrip() for line in next(outputs).rstrip().splitlines()]
        if after is not None and after.printed:
            changes.append((after.start, after.end, output))
        elif output:
            code = any(line.startswith("def ") for line in output)
            fence = [PRINTED, "", "```python"] if code else ["```text"]
            changes.append((block.end + 1, block.end + 1, ["", *fence, *output, "```"]))
    changes += [(a, b, TABLES[name]()) for name, a, b in tables_in(lines)]
    for start, end, new in sorted(changes, reverse=True):
        lines[start:end] = new
    return "".join(line + "\n" for line in lines)


# --- tables -------------------------------------------------------------------------------------


def tables_in(lines: list[str]) -> list[tuple[str, int, int]]:
    """(name, first line, end) of each generated table of a page."""
    found = []
    for k, line in enumerate(lines):
        if match := re.fullmatch(r"<!-- table: (\S+) -->", line):
            found.append((match[1], k + 1, lines.index("<!-- end -->", k)))
    return found


def functions() -> list[str]:
    """Every function with a rule."""
    rows = [(f"`{name}`", words, _code_names(note)) for name, words, note in registry.coverage()]
    return _markdown(("function", "rule", "shared by"), rows)


def refused() -> list[str]:
    """What is refused; nodes that are refused for the same reason share a row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in docs_table():
        if not row.supported:
            groups.setdefault((row.reason, row.instead), []).append(_example(row))
    rows = [(", ".join(dict.fromkeys(shown)), *why) for why, shown in groups.items()]
    return _markdown(("Python", "why not", "instead"), rows)


def supported() -> list[str]:
    rows = [(row.node, _example(row), row.note) for row in docs_table() if row.supported]
    return _markdown(("node", "Python", "remarks"), rows)


TABLES = {"functions": functions, "refused": refused, "supported": supported}


def _example(row: Row) -> str:
    """The example of a row on one line."""
    text = re.sub(r"(:|\.\.\.)\n *", r"\1 ", row.example)
    text = re.sub(r"\n *", "; ", text)
    return f"`{text}`"


def _code_names(note: str) -> str:
    return ", ".join(f"`{name}`" for name in note.removeprefix("also ").split(", ") if name)


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    table = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(c.replace("|", r"\|") for c in row) + " |" for row in table]
