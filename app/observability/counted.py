"""Numbers with their nouns, for messages: "1 line", "2 lines"."""


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a number, with separators of thousands, and its noun. `several` is needed if the plural adds no `s`.

    `one` and `several` may continue after the noun: counted(1, "row is refused", "rows are refused").
    """
    plural = f"{one}s" if several is None else several
    return f"{count:,} {one if count == 1 else plural}"
