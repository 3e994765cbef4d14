"""triggers of the audit trail refuse INSERT OR REPLACE and a second head row"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_REFUSED = "the audit trail is append-only"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # Rows deleted by REPLACE do not fire the trigger for deletions.
        _refuse("audit_no_replace BEFORE INSERT ON audit WHEN NEW.seq IN (SELECT seq FROM audit)")
        _refuse("audit_no_replaced_id BEFORE INSERT ON audit WHEN NEW.id IN (SELECT id FROM audit)")
        _refuse("audit_head_one BEFORE INSERT ON audit_head WHEN (SELECT count(*) FROM audit_head) > 0")
        _refuse("audit_head_no_delete BEFORE DELETE ON audit_head")
    else:
        for verb, each in (("INSERT", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER audit_head_no_{verb.lower()} BEFORE {verb} ON audit_head"
                f" FOR EACH {each} EXECUTE FUNCTION audit_refuse()"
            )


def _refuse(trigger: str) -> None:
    op.execute(f"CREATE TRIGGER {trigger} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("audit_no_replace", "audit_no_replaced_id", "audit_head_one", "audit_head_no_delete"):
            op.execute(f"DROP TRIGGER {name}")
    else:
        for verb in ("insert", "delete", "truncate"):
            op.execute(f"DROP TRIGGER audit_head_no_{verb} ON audit_head")
