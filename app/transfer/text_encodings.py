"""Text encodings of names in ZIP files and of lists. An encoding is accepted only if it is certain; none is guessed.

UTF-8, UTF-16 and UTF-32 with a byte-order mark are certain. UTF-8 without a mark is certain if some word makes sense as
UTF-8: two bytes of another encoding can be valid UTF-8 by chance, but they rarely form a letter of the word around
them.
"""

import codecs
import re
import unicodedata
from enum import StrEnum

from app.errors import EncodingUnknown, ImportInvalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WORD = re.compile(r"[^\W\d_]+")
_LONG_ENOUGH = 100  # letters in a word
# Characters of three or four bytes, or combining marks: rare in other encodings by chance.
_TELLING = re.compile(r"[\u0800-\U0010ffff]|[A-Za-z][\u0300-\u036f]")


class Encoding(StrEnum):
    """Encodings that a caller may name."""

    UTF_8 = "utf-8"
    CP437 = "cp437"
    CP850 = "cp850"
    CP852 = "cp852"
    CP866 = "cp866"
    CP1250 = "cp1250"
    CP1251 = "cp1251"
    CP1252 = "cp1252"
    CP1253 = "cp1253"
    CP1254 = "cp1254"
    CP1255 = "cp1255"
    CP1256 = "cp1256"
    CP1257 = "cp1257"
    CP1258 = "cp1258"
    CP874 = "cp874"
    LATIN_1 = "latin-1"
    MAC_ROMAN = "mac-roman"
    CP932 = "cp932"
    SHIFT_JIS = "shift_jis"
    EUC_JP = "euc-jp"
    GB18030 = "gb18030"
    GBK = "gbk"
    BIG5 = "big5"
    CP949 = "cp949"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"


def decode(data: bytes, encoding: Encoding | None, what: str) -> str:
    """Decode a text in the encoding of its mark, or the named encoding, or UTF-8 if that is certain.

    Raises EncodingUnknown if no encoding is certain, and ImportInvalid if the text is invalid in its encoding. `what`
    names the text in messages.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], name, what)
    if encoding is not None:
        return _strictly(data, encoding.value, what)
    if is_surely_utf8(data):
        return data.decode("utf-8")
    raise EncodingUnknown(
        f"{what} may not be UTF-8 ({_first_odd(data)}): save it as UTF-8, or set its encoding, such as "
        "encoding=cp1252 (Western Excel), cp932 (Japanese), gb18030 (Chinese), utf-16-le or utf-8"
    )


def is_surely_utf8(data: bytes) -> bool:
    """Return whether a text without a mark is certainly UTF-8, and does not just look like it by chance."""
    if b"\0" in data[:2]:  # UTF-16 without its mark
        return False
    if data.isascii():
        return True
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    words = (found[0][:_LONG_ENOUGH] for found in _WORD.finditer(text))
    return _TELLING.search(text) is not None or any(_makes_sense(word) for word in words if not word.isascii())


def _makes_sense(word: str) -> bool:
    """Return whether a word has several letters, all of one script."""
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    is_latin_alone = scripts == {"LATIN"} and not any(letter.isascii() for letter in word)
    return len(scripts) == 1 and len(word) > 1 and not is_latin_alone


def _strictly(data: bytes, encoding: str, what: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = _at(data, error.start)
        raise ImportInvalid(f"{what} is not {encoding} ({where}): save it as UTF-8, or set its encoding") from error


def _first_odd(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _at(data, error.start)
    odd = re.search(rb"[\x80-\xff]", data)
    return _at(data, odd.start() if odd else 0)


def _at(data: bytes, at: int) -> str:
    """Return the line of a byte and the text around it."""
    line = 1 + len(re.findall(rb"\r\n|\r|\n", data[:at]))
    begin = max(data.rfind(b"\n", 0, at), data.rfind(b"\r", 0, at)) + 1
    end = min((found for found in (data.find(b"\n", at), data.find(b"\r", at)) if found >= 0), default=len(data))
    column = 1 + sum(data[begin:at].count(each) for each in (b",", b";", b"\t"))
    shown = repr(data[max(begin, at - 20) : min(end, at + 20)])[1:]
    return f"line {line}, column {column}: {shown}"
