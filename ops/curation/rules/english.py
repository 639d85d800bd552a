"""Whether a text is English, by a plain rule: no model of languages is among what soraflow needs.

A text is English if nearly all its letters are A to Z, and if it does not hold more of another language's commonest
words than of English ones. Texts too short to hold any, such as "red car", pass by their letters alone.
"""

from __future__ import annotations

import re

LATIN_SHARE = 0.9
"""Of the letters. Names and loan words (café, Zürich) must not make a text foreign."""

_COMMON = {
    "english": "the of and to in a is that it for on with as at by this be are from or an was his her their its "
    "have has not but which one two he she they we you i into over under behind near out up down there",
    "german": "der die das und ist in den von zu mit sich auf für nicht ein eine einer einem einen als auch es an im "
    "dem des er sie wir ich aus bei nach über unter hinter vor am zum zur",
    "french": "le la les de des du et en un une est que qui dans pour sur avec pas au aux ce cette il elle ils se par "
    "plus son sa ses ne nous vous je sous derrière devant",
    "spanish": "el la los las de del y en un una es que por con para su al lo se no como más pero sus le ya o este "
    "entre cuando muy sin sobre también desde detrás",
    "italian": "il lo la i gli le di del della e in un una uno è che per con su al non si come più da dal nel nella "
    "sono ha questo sotto dietro",
    "portuguese": "o a os as de do da dos das e em um uma é que por com para seu sua ao no na nos nas se não mais "
    "como mas foi pelo pela sobre",
    "dutch": "de het een en van in is dat op te zijn met voor niet aan er om ook als bij maar door over uit naar hij "
    "zij wij deze dit onder achter",
}
COMMON = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def is_english(text: str) -> bool:
    """See the rule above; a text without letters, such as "2024", passes."""
    letters = [letter for letter in text if letter.isalpha()]
    if letters and sum(letter.isascii() for letter in letters) < LATIN_SHARE * len(letters):
        return False
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {language: sum(word in common for word in words) for language, common in COMMON.items()}
    return counts["english"] >= max(counts.values())
