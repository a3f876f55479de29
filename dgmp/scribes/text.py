"""The text of a page: Latin words in an order of their own, and how a scribe spells them."""

import numpy as np

from dgmp.scribes.hand import Hand

_LEXICON = """
et in est non ad ut cum de qui quod sed ex per ab autem ergo enim si hoc eius eum deus dominus
domini domino deo dei sunt me te se nos uos ego tu ille illa ipse omnis omnia omnes quia sicut
super terram terra caelum caeli aqua aquas lux lucem tenebras diem dies nox noctem annus tempus
homo hominem homines uir filius filii filium pater patris patrem mater fratres frater populus
populi gentes rex regis regem regnum ciuitas ciuitatem domus domum uia uiam uerbum uerba nomen
nomine manus manum oculi oculos cor corde corpus anima animam spiritus sanctus sancti sancto
gloria gratia pax pacem misericordia iustitia ueritas sapientia uirtus fides spes caritas amor
peccatum peccata mors mortem uita uitam aeterna aeternam saecula saeculi magnus magna bonus bona
malum mala nouum uetus primus secundus tertia septem duodecim dixit dicit ait respondens fecit
facere factum erat erant fuit esse sit habet habere uenit uenerunt misit accepit dedit
dabit uidit uidet audiuit audite uocauit scripsit legere surrexit ambulabat cognouit credidit
benedictus benedixit laudate cantate exaltabo confitebor quoniam quare quomodo ubi unde nunc tunc
iterum semper numquam ante post inter sub pro contra propter usque itaque igitur quidem etiam
atque neque uel aut nisi donec dum ecce sic ita tam quam magis uero lignum arbor fructus
panem uinum mensa templum altare angelus angeli propheta discipuli apostolus ecclesia liber libro
medicus herba radix equus lupus piscis auis mare flumen mons montem ignis uentus stella luna sol
"""
_WORDS = _LEXICON.split()
_VOWELS = frozenset("aeiou")
_ROUND_RIGHT = frozenset("bdhopy")
_ROUND_LEFT = frozenset("cdegoq")
_MAJUSCULE = frozenset("abcdefghilmnopqrstuxy")
_JOINING = frozenset("acehilmnrtu")
_JOINED = frozenset("imnrup")

# Forms that stand over the form before them or between two forms, and take no room.
OVERLAYS = frozenset({"macron", "link"})

# How often a majuscule takes a minuscule's place inside words, against the hand's habit.
_EAGER = frozenset("aemnrsg")


def draw_words(rng: np.random.Generator, count: int) -> list[str]:
    """Words of a page, the frequent ones first in favour; sentences start with a capital.

    >>> words = draw_words(np.random.default_rng(1), 50)
    >>> len(words), words[0][0].isupper()
    (50, True)
    """
    # A product of two draws favours the head of the list, as language favours short words.
    places = rng.random(count) * rng.random(count) * len(_WORDS)
    ends = rng.random(count) < 0.09
    words = [_WORDS[place] for place in places.astype(int).tolist()]
    previous = True
    for i, end in enumerate(ends.tolist()):
        if previous:
            words[i] = words[i].capitalize()
        if end:
            words[i] += ":" if places[i] % 1 < 0.3 else "."
        previous = end
    return words


def spell(word: str, hand: Hand, luck: list[float]) -> list[str]:
    """The letterforms with which a hand writes a word.

    Args:
        word: Letters a to y without j, k and w; capitals and the points "." and ":" may occur.
        hand: Its habits decide between the variants of letters.
        luck: Three numbers in [0, 1) for each character, consumed from the end.

    Returns:
        Names of forms; "macron" stands over the form before it, "link" joins the forms around it.
    """
    if word == "et" and luck.pop() < hand.abbreviation * 2:
        return ["et"]
    forms: list[str] = []
    last = len(word) - 1
    before = ""
    skip = False
    for i, char in enumerate(word):
        if skip:
            skip = False
            continue
        following = word[i + 1] if i < last else ""
        u, v, w = luck.pop(), luck.pop(), luck.pop()
        if before in _JOINING and char in _JOINED and w < hand.link:
            forms.append("link")
        short = v < hand.abbreviation
        if char.isupper():
            forms.append(char + "/capital")
        elif char == "q" and short and word[i:].rstrip(".:") == "que":
            return [*forms, "que"]
        elif char == "p" and short and following == "e" and word[i + 2 : i + 3] == "r":
            return [*forms, "per", *spell(word[i + 3 :], hand, luck)]
        else:
            forms.append(_variant(char, before, following, hand, u))
            if char in _VOWELS and short and following and following in "mn":
                forms.append("macron")
                skip = True
        # Neither a hairline nor a ligature starts at a macron.
        before = "-" if skip else char
    return forms


def _variant(char: str, before: str, following: str, hand: Hand, u: float) -> str:
    """The form a hand takes for a minuscule in its surroundings; u in [0, 1) decides."""
    if char in _MAJUSCULE:
        eager = hand.majuscule if char in _EAGER else hand.majuscule * hand.majuscule
        if u < eager:
            return char.upper()
        u = (u - eager) / (1 - eager)
    if char == "a":
        return "a/two" if u < hand.two_storey else "a/one"
    if char in "bhl":
        return char + "/loop" if u < hand.loop else char
    if char == "d":
        if u >= hand.round_d:
            return "d/upright"
        return "d/round/loop" if u < hand.round_d * hand.loop else "d/round"
    if char == "g":
        return "g/flat" if u < hand.flat_g else "g/double"
    if char == "i":
        return "i/dot" if u < hand.dotted_i else "i"
    if char == "r":
        return "r/round" if before in _ROUND_RIGHT and u < hand.round_r else "r"
    if char == "s":
        final = not following or following in ".:"
        return "s/long" if u < hand.long_s * (0.25 if final else 1.0) else "s/round"
    if char == "u":
        return "u/pointed" if not before and u < hand.pointed_u else "u"
    return char


def kern(left: str, right: str) -> float:
    """How much closer, in parts of the gap, two forms stand than two stems do."""
    if not right or right in OVERLAYS:
        return 0.0
    rounds = (left[0].lower() in _ROUND_RIGHT or left[0] in "ec") + (
        right[0].lower() in _ROUND_LEFT
    )
    return 0.18 * rounds
