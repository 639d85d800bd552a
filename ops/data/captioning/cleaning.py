"""Captions as the text encoders of Open-Sora Plan read them: in lower case, and without what web pages leave in them.

The rules are those of the caption cleaner that PixArt and DeepFloyd published and Open-Sora Plan runs over every
caption in training. Three things differ: misread encodings are mended by one rule of ours in place of the package ftfy;
they and HTML's entities are undone first, for afterwards there is no `&` and no `Ã` left to know them by; and a caption
is cleaned as the text that it is (the original is handed a list of one).
"""

from __future__ import annotations

import html
import re
from urllib.parse import unquote_plus

ADDRESS = re.compile(r"\b(?:https?:/{1,3}|www\.)\S+|\b[\w.-]+\.(?:com|net|org|edu|gov|ru)\b(?:/\S*)?")
TAG = re.compile(r"</?[a-z!][^<>]*>")
NICKNAME = re.compile(r"@\w+")
CJK_MARKS = re.compile("[\u31c0-\u31ef\u31f0-\u31ff\u3200-\u32ff\u3300-\u33ff\u3400-\u4dbf\u4dc0-\u4dff]")
"""Strokes, small kana, enclosed and squared characters, extension A, hexagrams."""
CJK = re.compile("[\u4e00-\u9fff]")
DASHES = re.compile("[-\u00ad\u058a\u05be\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d]+")
DOUBLE_QUOTES = re.compile("[`\u00ab\u00bb\u201c\u201d\u00a8]")
SINGLE_QUOTES = re.compile("[\u2018\u2019]")
IP_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
ARTICLE = re.compile(r"\d:\d\d\s+$")
NUMBER_SIGN = re.compile(r"#\d{1,5}\b")
LONG_NUMBER = re.compile(r"\b\d{6,}\b")
FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|bmp|webp|eps|pdf|apk|mp4)\b")
REPEATED_QUOTES = re.compile("[\"']{2,}")
DOTS = re.compile(r"\.{2,}|(?<=\s)\.(?=\s)")
BAD_PUNCTUATION = re.compile(r"[#®•©™&@·º½¾¿¡§~()\[\]{}|\\/*]+")
JOINTS = re.compile("[-_]")
MOST_JOINTS = 3
CODES = (
    re.compile(r"\b[a-z]{1,3}\d{3,15}\b"),  # jc6640
    re.compile(r"\b[a-z]+\d+[a-z]+\b"),  # jc6640vc
    re.compile(r"\b\d+[a-z]+\d+\b"),  # 6640vc231
)
SHOP = (
    re.compile(r"\b(?:worldwide\s+|free\s+)?shipping\b"),
    re.compile(r"\b(?:free\s+)?download(?:\s+free)?\b"),
    re.compile(r"\bclick\b\s(?:for|on)\s\w+"),
)
FORMAT_WORD = re.compile(r"\b(?:png|jpe?g|bmp|webp|eps|pdf|apk|mp4)(?:\simages?|\spictures?|\sphotos?)?\b")
PAGE_NUMBER = re.compile(r"\bpage\s+\d+\b")
SIZE = re.compile(r"\b\d+\s*[x\u0445\u00d7]\s*\d+\b")
EDGE = "_,-:+. \t"
_WINDOWS = "".join(bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0x100))
MISREAD = re.compile(f"[{re.escape(_WINDOWS)}]{{2,}}")
"""UTF-8 that was read as Windows-1252 shows as two or more such characters in a row."""


def cleaned(caption: str, *, keep_cjk: bool) -> str:
    """The caption in one clean line of lower case; may come out empty. Ideographs stay for encoders that know them."""
    text = html.unescape(html.unescape(mended(unquote_plus(caption)))).strip().lower().replace("<person>", "person")
    for pattern in (ADDRESS, TAG, NICKNAME):
        text = pattern.sub("", text)
    text = CJK_MARKS.sub("", text)
    text = text if keep_cjk else CJK.sub("", text)
    text = SINGLE_QUOTES.sub("'", DOUBLE_QUOTES.sub('"', DASHES.sub("-", text)))
    text = IP_ADDRESS.sub(" ", text)
    text = ARTICLE.sub("", text).replace("\\n", " ")
    for pattern in (NUMBER_SIGN, LONG_NUMBER, FILE_NAME):
        text = pattern.sub("", text)
    text = DOTS.sub(" ", REPEATED_QUOTES.sub('"', text))
    text = BAD_PUNCTUATION.sub(" ", text)
    if len(JOINTS.findall(text)) > MOST_JOINTS:
        text = JOINTS.sub(" ", text)
    for pattern in (*CODES, *SHOP, FORMAT_WORD, PAGE_NUMBER, SIZE):
        text = pattern.sub("", text)
    return _trimmed(text)


def readable_share(caption: str, *, keep_cjk: bool) -> float:
    """Of a caption's letters, those that cleaning leaves to the encoder, 0 to 1; 0 if it leaves nothing at all."""
    if not cleaned(caption, keep_cjk=keep_cjk):
        return 0.0
    letters = [letter for letter in mended(unquote_plus(caption)) if letter.isalpha()]
    lost = 0 if keep_cjk else sum(bool(CJK.match(letter) or CJK_MARKS.match(letter)) for letter in letters)
    return 1 - lost / len(letters) if letters else 1.0


def mended(text: str) -> str:
    """UTF-8 that was once read as Windows-1252, as what it was written as: "cafÃ©" is "café" again."""
    return MISREAD.sub(_reread, text)


def _reread(found: re.Match[str]) -> str:
    try:
        return found[0].encode("cp1252").decode("utf-8")
    except UnicodeError:  # then it was written so
        return found[0]


def _trimmed(text: str) -> str:
    """Without enclosing quotes, and without punctuation at its ends; a final stop goes, too."""
    text = " ".join(text.split())
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        text = text[1:-1]
    return text.strip(EDGE).strip()
