"""Names of pages and files: their natural order, and in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

DIGITS = re.compile(r"(\d+)")
Key = list[list[tuple[str, int, str]]]


def natural(name: str) -> Key:
    """Sort key by which page2 comes before page10, and the files of a folder stay together.

    >>> sorted(["b/1", "a10.jpg", "a2.jpg"], key=natural)
    ['a2.jpg', 'a10.jpg', 'b/1']
    """
    return [
        [
            ("", len(digits := part.lstrip("0")), digits) if part.isdecimal() else (part, 0, "")
            for part in DIGITS.split(step.casefold())
            if part
        ]
        for step in name.split("/")
    ]


def one_line(text: str) -> str:
    r"""Text without line breaks and other characters that cannot be printed.

    >>> one_line("f. 1r\n recto"), one_line("a\udcff")
    ('f. 1r recto', 'a\ufffd')
    """
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "\ufffd" for c in words)


def unique(names: Iterable[str]) -> list[str]:
    """Make names unique: the second "1r" becomes "1r (2)".

    >>> unique(["1r", "1r (2)", "1r"])
    ['1r', '1r (2)', '1r (3)']
    """
    taken: set[str] = set()
    found = []
    counts: dict[str, int] = {}
    for name in names:
        new = name
        while new in taken:
            counts[name] = counts.get(name, 1) + 1
            new = f"{name} ({counts[name]})"
        taken.add(new)
        found.append(new)
    return found


def in_short(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are.

    >>> in_short(["a.txt", "b.doc", "c.csv", "d.csv"]), in_short(["a", "b", "c"])
    ('a.txt, b.doc and 2 others', 'a, b, c')
    """
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} others"
