"""What the site needs beside MkDocs: files outside docs/ that pages link to, and formulas.

MkDocs knows only what lies below docs/. A page's link to `../reports/…` works where the files are
read in the repository; here the file becomes a part of the site.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

OUTSIDE = re.compile(r"(?<=\]\()\.\./(?=[a-z])(?P<path>[^)#\s]+)")
FORMULA = re.compile(r":math:\s*<code>(?P<latex>.*?)</code>", re.S)


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/ that a page links to."""
    root = Path(config["config_file_path"]).parent
    wanted = {
        match["path"]: page.src_uri
        for page in files.documentation_pages()
        for match in OUTSIDE.finditer(page.content_string)
    }
    for path, page in sorted(wanted.items()):
        if not (root / path).is_file():
            raise PluginError(f"{page} links to ../{path}, which does not exist")
        files.append(File.generated(config, path, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to these files point into the site."""
    return OUTSIDE.sub(r"\g<path>", markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas of docstrings as MathML, which browsers draw by themselves."""
    return FORMULA.sub(lambda match: convert(html.unescape(match["latex"])), content)
