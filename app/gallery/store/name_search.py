"""Search by name: the words of an identity's name and id, without case, accents and separators, in a column.

Each word has a space before it, so `% ang%` finds the words that start with `ang`.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, event, or_

from app.database.tables import MOST_WORDS, IdentityTable
from app.names import words_of


def words(name: str | None, identity_id: str) -> str:
    """Return the column's content; the name is first, because lists are ordered by it."""
    found = dict.fromkeys(words_of(name or "") + words_of(identity_id))
    return "".join(f" {each}" for each in found)[:MOST_WORDS]


def matches(text: str) -> ColumnElement[bool]:
    """Return the condition that each word of a text starts a word of the identity's name or id.

    A text without words, such as `#`, must be a part of one of them.
    """
    if searched := words_of(text):
        return and_(*(IdentityTable.words.contains(f" {each}", autoescape=True) for each in searched))
    return or_(*(each.contains(text, autoescape=True) for each in (IdentityTable.identity_id, IdentityTable.name)))


@event.listens_for(IdentityTable, "before_insert")
@event.listens_for(IdentityTable, "before_update")
def _note_words(_mapper: object, _connection: object, identity: Any) -> None:
    """Update the column before a row is written. Statements without rows do it themselves (`BulkWriter`)."""
    identity.words = words(identity.name, identity.identity_id)
