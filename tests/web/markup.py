"""Texts in index.html, and whether each is translated."""

from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "link", "meta"}
_SPOKEN = ("aria-label", "placeholder", "title", "alt")
_UNTRANSLATED = {"title", "noscript", "code", "script"}  # and each element with its own `lang`


class Markup(HTMLParser):
    """Texts of a page by their keys, with `{slot}` for elements within them, and the texts without a key."""

    def __init__(self, page):
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self.loose: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._written: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.texts += [(given[f"data-t-{name}"], given.get(name, "")) for name in _SPOKEN if f"data-t-{name}" in given]
        self.loose += [given[name] for name in _SPOKEN if given.get(name) and f"data-t-{name}" not in given]
        if "data-slot" in given and self._written:
            self._written[-1] += f"{{{given['data-slot']}}}"
        if tag not in _VOID:
            self._open.append((tag, given))
            self._written.append("")

    def handle_endtag(self, tag):
        if tag in _VOID:
            return
        opened, given = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"
        text = " ".join(self._written.pop().split())
        if "data-t" in given:
            self.texts.append((given["data-t"], text))
        elif any(map(str.isalpha, text)) and not self._is_untranslated(tag, given):
            self.loose.append(text)

    def handle_data(self, data):
        if self._written:
            self._written[-1] += data

    def _is_untranslated(self, tag, given):
        return "lang" in given or bool({tag, *(each for each, _ in self._open)} & _UNTRANSLATED)
