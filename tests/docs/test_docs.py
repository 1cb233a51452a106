"""The pages say what is true: their programs run and print what is shown, links lead somewhere.

After a change that is meant: `python -m tests.docs.regenerate`, and read the difference.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, TABLES, blocks_of, name_of, regenerated, tables_in

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@each_page
def test_programs_print_what_is_shown_and_tables_are_those_of_the_code(page: Path, tmp_path: Path):
    assert regenerated(page, tmp_path).splitlines() == read(page).splitlines()


@each_page
def test_every_output_belongs_to_a_program(page: Path):
    for block in blocks_of(read(page).splitlines()):
        assert block.language in ("python", "text", "bash", ""), block
        assert block.printed or block.language != "text", block


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@each_page
def test_links_lead_somewhere(page: Path):
    prose = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S))
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim), target


@each_page
def test_shell_commands_name_files_that_exist(page: Path):
    for block in blocks_of(read(page).splitlines()):
        for line in block.text.splitlines() if block.language == "bash" else ():
            words = shlex.split(line, comments=True)
            for k, word in enumerate(words):
                made_here = k and words[k - 1] in ("--plot", "--save", "--resume")
                if ("/" in word or word.endswith(".py")) and not made_here:
                    assert (ROOT / word).exists(), line


def test_the_index_names_every_page():
    index = read(ROOT / "docs" / "README.md")
    others = {p.name for p in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert others == set(re.findall(r"\]\(([\w-]+\.md)\)", index))


def test_all_tables_are_shown():
    shown = {name for page in PAGES for name, _, _ in tables_in(read(page).splitlines())}
    assert shown == set(TABLES)


def test_the_readme_has_one_line_to_install_and_test():
    lines = re.findall(r"^pip install .*pytest.*$", read(ROOT / "README.md"), re.MULTILINE)
    assert len(lines) == 1
