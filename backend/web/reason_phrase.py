"""The reason phrase of an error: what is wrong, as one line of ASCII.

Label Studio drops the body of an error and passes on the reason phrase: it is the only text of a
backend that reaches a person (docs/label-studio-protocol.md, 5).
"""

import re
import unicodedata

LONGEST = 200
"""Most characters of a phrase: a notice on the page shows about as many."""

_CUT = "..."
_HIDDEN = "..."
_USER = re.compile(r"(?<=://)[^\s/@]+@")
_QUERY = re.compile(r"(://[^\s?'\"]*)\?[^\s'\"]*")  # may be signed
_ASCII = str.maketrans(
    {"…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "→": "->", "×": "x"}
)


def reason_phrase(message: str) -> str:
    """Return a message as a reason phrase; empty where nothing of it can be shown.

    Passwords and queries of addresses are left out. What has no form in ASCII becomes a question
    mark.

    >>> reason_phrase("the “Köln” model\\nis busy…")
    'the "Koln" model is busy...'
    """
    message = _QUERY.sub(rf"\1?{_HIDDEN}", _USER.sub("", message))
    line = " ".join(message.translate(_ASCII).split())
    phrase = "".join(_printable(character) for character in unicodedata.normalize("NFKD", line))
    return phrase if len(phrase) <= LONGEST else _shortened(phrase)


def _printable(character: str) -> str:
    """Return a character of ASCII; an accent becomes nothing, anything else a question mark."""
    if " " <= character <= "~":
        return character
    return "" if unicodedata.combining(character) else "?"


def _shortened(phrase: str) -> str:
    """Cut a phrase between two words, or within a very long one."""
    room = phrase[: LONGEST - len(_CUT)]
    whole_words, _, _ = room.rpartition(" ")
    return (whole_words if len(whole_words) > LONGEST // 2 else room) + _CUT
