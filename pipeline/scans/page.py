"""Templates filled to a page that works from the disk and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.scans import picture_names
from pipeline.scans.tables import readable

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, content: dict[str, Any], data: dict[str, Any]) -> str:
    """A page as HTML, with its style and script inside.

    Args:
        template: Name of the template.
        content: What it shows, by its names.
        data: What its script reads.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": share, "plural": plural, "score": score}
    style, script = ((TEMPLATES / f"search.{end}").read_text("utf-8") for end in ("css", "js"))
    page = environment.get_template(template).render(
        content,
        picture=picture_names,
        style=style,
        script=script,
        policy=_policy(style, script),
        data=script_json(data),
    )
    return readable(page)


def script_json(data: Any) -> str:
    """JSON that may stand within a script element: no text of it can close the element.

    >>> script_json({"name": "</script>\\u2028"})
    '{"name":"\\\\u003c/script\\\\u003e\\\\u2028"}'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def share(place: float) -> str:
    """A share as a percentage that says 100 only where it is all.

    >>> share(0.99996), share(0.5), share(1.0)
    ('99.9 %', '50.0 %', '100 %')
    """
    return "100 %" if place >= 1 else f"{min(place * 100, 99.9):.1f} %"


def score(value: float) -> str:
    """A score with two decimals and a true minus sign.

    >>> score(0.716), score(-0.5), score(-0.001)
    ('0.72', '−0.50', '0.00')
    """
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "page"), plural(1200, "page"), plural(2, "codex", "codices")
    ('1 page', '1,200 pages', '2 codices')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _policy(style: str, script: str) -> str:
    """What a browser may load: the page's own style and script, and files beside it."""
    own = (base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (style, script))
    of_style, of_script = (f"'sha256-{digest}'" for digest in own)
    return (
        f"default-src 'none'; style-src {of_style}; script-src {of_script} 'self' file:; "
        "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )
