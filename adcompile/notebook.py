"""A function and its gradient side by side, for notebooks."""

from __future__ import annotations

import html


def side_by_side(written: str, generated: str | None) -> str:
    """HTML with both texts, highlighted where pygments is installed."""
    right = generated if generated is not None else "# not compiled yet: call it"
    cells = "".join(
        f'<td style="vertical-align: top; text-align: left">{_highlight(text)}</td>'
        for text in (written, right)
    )
    return f"<table><tr>{cells}</tr></table>"


def _highlight(text: str) -> str:
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ImportError:
        return f"<pre>{html.escape(text)}</pre>"
    return highlight(text, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True))
