"""The twelve script types of CLaMM as mean hands, and how far scribes stray from them.

The habits follow the criteria of A. Derolez, The Palaeography of Gothic Manuscript Books (2003):
the compartments of a, the depth of f and long s, and loops tell the Gothic book scripts apart.
"""

from dgmp.scribes.hand import Hand, combine

# fmt: off
_MEANS = {
    "Caroline": Hand(
        size=0.32, slant=0.05, nib_angle=28, nib=0.17, counter=0.58, gap=0.5,
        word_gap=0.45, roundness=0.95, ascender=0.85, descender=0.6, head=0.1,
        foot=0.07, flick=0.5, spring=0.6, tail=0.05, loop=0, link=0.1, two_storey=0.9,
        round_d=0.1, long_s=0.95, round_r=0.05, majuscule=0.05, flat_g=0.3,
        pointed_u=0.05, dotted_i=0, abbreviation=0.1,
    ),
    "Cursiva": Hand(
        size=0.36, slant=0.12, nib_angle=36, nib=0.15, counter=0.48, gap=0.46,
        word_gap=0.5, roundness=0.8, ascender=0.8, descender=0.6, head=0.06, foot=0.16,
        flick=0.85, spring=0.5, tail=0.65, loop=0.95, link=0.8, two_storey=0.05,
        round_d=0.9, long_s=0.75, round_r=0.6, majuscule=0, flat_g=0.1, pointed_u=0.6,
        dotted_i=0.6, abbreviation=0.25,
    ),
    "Half Uncial": Hand(
        size=0.38, slant=0, nib_angle=14, nib=0.2, counter=0.7, gap=0.54, word_gap=0.35,
        roundness=1, ascender=0.55, descender=0.45, head=0.12, foot=0.07, flick=0.4,
        spring=0.72, tail=0.2, loop=0, link=0.1, two_storey=0.05, round_d=0.3,
        long_s=0.8, round_r=0, majuscule=0.4, flat_g=0.9, pointed_u=0, dotted_i=0,
        abbreviation=0.05,
    ),
    "Humanistic": Hand(
        size=0.32, slant=0.02, nib_angle=27, nib=0.15, counter=0.58, gap=0.54,
        word_gap=0.55, roundness=1, ascender=0.9, descender=0.65, head=0.08, foot=0.09,
        flick=0.4, spring=0.62, tail=0.03, loop=0, link=0.03, two_storey=0.92,
        round_d=0.05, long_s=0.65, round_r=0.05, majuscule=0.02, flat_g=0.1,
        pointed_u=0.05, dotted_i=0.15, abbreviation=0.08,
    ),
    "Humanistic Cursive": Hand(
        size=0.33, slant=0.2, nib_angle=38, nib=0.13, counter=0.48, gap=0.48,
        word_gap=0.55, roundness=0.85, ascender=0.85, descender=0.7, head=0.07,
        foot=0.16, flick=1, spring=0.45, tail=0.55, loop=0.1, link=0.55,
        two_storey=0.08, round_d=0.1, long_s=0.6, round_r=0.1, majuscule=0.02,
        flat_g=0.1, pointed_u=0.15, dotted_i=0.3, abbreviation=0.08,
    ),
    "Hybrida": Hand(
        size=0.38, slant=0.05, nib_angle=38, nib=0.2, counter=0.46, gap=0.44,
        word_gap=0.45, roundness=0.35, ascender=0.62, descender=0.5, head=0.13,
        foot=0.13, flick=0.2, spring=0.75, tail=0.55, loop=0.03, link=0.1,
        two_storey=0.05, round_d=0.92, long_s=0.8, round_r=0.75, majuscule=0,
        flat_g=0.15, pointed_u=0.6, dotted_i=0.6, abbreviation=0.2,
    ),
    "Praegothica": Hand(
        size=0.36, slant=0.03, nib_angle=34, nib=0.2, counter=0.5, gap=0.46,
        word_gap=0.42, roundness=0.65, ascender=0.68, descender=0.5, head=0.13,
        foot=0.11, flick=0.3, spring=0.72, tail=0.05, loop=0, link=0.08, two_storey=0.9,
        round_d=0.45, long_s=0.85, round_r=0.35, majuscule=0.025, flat_g=0.25,
        pointed_u=0.2, dotted_i=0.15, abbreviation=0.2,
    ),
    "Semihybrida": Hand(
        size=0.37, slant=0.08, nib_angle=37, nib=0.18, counter=0.47, gap=0.45,
        word_gap=0.47, roundness=0.55, ascender=0.72, descender=0.55, head=0.1,
        foot=0.14, flick=0.5, spring=0.63, tail=0.6, loop=0.5, link=0.4,
        two_storey=0.06, round_d=0.92, long_s=0.78, round_r=0.7, majuscule=0,
        flat_g=0.12, pointed_u=0.6, dotted_i=0.6, abbreviation=0.22,
    ),
    "Semitextualis": Hand(
        size=0.39, slant=0.02, nib_angle=38, nib=0.21, counter=0.46, gap=0.44,
        word_gap=0.42, roundness=0.4, ascender=0.54, descender=0.42, head=0.14,
        foot=0.13, flick=0.2, spring=0.76, tail=0.03, loop=0, link=0.06,
        two_storey=0.08, round_d=0.92, long_s=0.8, round_r=0.75, majuscule=0,
        flat_g=0.15, pointed_u=0.5, dotted_i=0.45, abbreviation=0.22,
    ),
    "Southern Textualis": Hand(
        size=0.4, slant=0, nib_angle=32, nib=0.25, counter=0.54, gap=0.44, word_gap=0.4,
        roundness=0.75, ascender=0.42, descender=0.33, head=0.08, foot=0.07, flick=0.2,
        spring=0.82, tail=0.02, loop=0, link=0.03, two_storey=0.95, round_d=0.85,
        long_s=0.75, round_r=0.8, majuscule=0.02, flat_g=0.2, pointed_u=0.3,
        dotted_i=0.3, abbreviation=0.22,
    ),
    "Textualis": Hand(
        size=0.42, slant=0, nib_angle=40, nib=0.25, counter=0.44, gap=0.42,
        word_gap=0.38, roundness=0.12, ascender=0.48, descender=0.36, head=0.18,
        foot=0.17, flick=0.05, spring=0.85, tail=0.02, loop=0, link=0.05,
        two_storey=0.95, round_d=0.92, long_s=0.8, round_r=0.8, majuscule=0, flat_g=0.2,
        pointed_u=0.5, dotted_i=0.5, abbreviation=0.2,
    ),
    "Uncial": Hand(
        size=0.44, slant=0, nib_angle=17, nib=0.19, counter=0.76, gap=0.6,
        word_gap=0.25, roundness=1, ascender=0.25, descender=0.28, head=0.07, foot=0.05,
        flick=0.3, spring=0.78, tail=0.15, loop=0, link=0.03, two_storey=0.05,
        round_d=0.92, long_s=0.05, round_r=0, majuscule=0.95, flat_g=0.3, pointed_u=0,
        dotted_i=0, abbreviation=0.04,
    ),
}

# Standard deviations between the scribes of one script type.
SPREAD = Hand(
    size=0.022, slant=0.032, nib_angle=3.8, nib=0.026, counter=0.042, gap=0.034,
    word_gap=0.08, roundness=0.11, ascender=0.1, descender=0.085, head=0.028,
    foot=0.033, flick=0.14, spring=0.065, tail=0.055, loop=0.05, link=0.12,
    two_storey=0.08, round_d=0.13, long_s=0.12, round_r=0.14, majuscule=0.025,
    flat_g=0.15, pointed_u=0.2, dotted_i=0.25, abbreviation=0.08,
)
# fmt: on

SCRIPT_TYPES: tuple[str, ...] = tuple(sorted(_MEANS))

_COMMON = combine(lambda *values: sum(values) / len(values), *_MEANS.values())


def mean_hand(script_type: str, distance: float = 1.0) -> Hand:
    """The mean hand of a script type.

    Args:
        script_type: One of SCRIPT_TYPES.
        distance: How far it stands from the mean of all twelve; 0 gives that mean.

    Raises:
        ValueError: If there is no such script type.

    >>> mean_hand("Textualis").two_storey, mean_hand("Semitextualis").two_storey
    (0.95, 0.08)
    """
    if script_type not in _MEANS:
        raise ValueError(
            f"there is no script type {script_type!r}; choose one of {', '.join(SCRIPT_TYPES)}"
        )
    return combine(
        lambda own, common: common + distance * (own - common), _MEANS[script_type], _COMMON
    )
