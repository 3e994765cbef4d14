"""identities have the words of their name and id, for searches"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_AT_ONCE = 1000
_SPACELESS = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_WITHOUT_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})


def upgrade() -> None:
    op.add_column("identities", sa.Column("words", sa.String(length=500), server_default=sa.text("''"), nullable=False))
    table = sa.table("identities", sa.column("id"), sa.column("identity_id"), sa.column("name"), sa.column("words"))
    query = sa.select(table.c.id, table.c.identity_id, table.c.name).order_by(table.c.id).limit(_AT_ONCE)
    change = sa.update(table).where(table.c.id == sa.bindparam("key")).values(words=sa.bindparam("found"))
    connection, after = op.get_bind(), 0
    while read := connection.execute(query.where(table.c.id > after)).all():
        connection.execute(change, [{"key": row.id, "found": _words(row.name, row.identity_id)} for row in read])
        after = read[-1].id
    op.create_index("ix_identities_collection_id_words", "identities", ["collection_id", "words"])


def downgrade() -> None:
    op.drop_index("ix_identities_collection_id_words", table_name="identities")
    op.drop_column("identities", "words")


def _words(name: str | None, identity_id: str) -> str:
    found = dict.fromkeys(_words_of(name or "") + _words_of(identity_id))
    return "".join(f" {each}" for each in found)[:500]


def _words_of(text: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in letters if not unicodedata.combining(each)).translate(_WITHOUT_STROKES)
    return _WORD.findall(unicodedata.normalize("NFC", plain))
