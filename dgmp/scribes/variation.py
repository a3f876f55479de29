"""How much of what makes pages differ: the knobs that set how hard the synthetic tasks are."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Variation:
    """Factors on the sources of variation, 1.0 being the default and 0 none.

    Attributes:
        scribe: How much the scribes of one script type differ in their lasting style.
        letter: How much one scribe varies from letter to letter and from page to page.
        script: How far script types stand apart; at 0 all share the mean letterforms.
        wear: Stains, show-through, fading and noise; at 0 the page is clean.

    Raises:
        ValueError: If a factor is negative or not finite.

    >>> Variation(wear=0.0)
    Variation(scribe=1.0, letter=1.0, script=1.0, wear=0.0)
    """

    scribe: float = 1.0
    letter: float = 1.0
    script: float = 1.0
    wear: float = 1.0

    def __post_init__(self) -> None:
        """Checks the factors."""
        for field in fields(self):
            factor = getattr(self, field.name)
            if not 0 <= factor < float("inf"):
                raise ValueError(
                    f"variation {field.name} is {factor}; it must be a number from 0 up "
                    "(1 is the default)"
                )


USUAL = Variation()
