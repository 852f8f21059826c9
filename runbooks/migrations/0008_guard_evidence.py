"""The database is the last guard of what auditors rely on.

An entry may lose its content in one way alone: a redaction that two people agreed to, which leaves its record. What was
only added stays, and of a checkpoint nothing changes but the time stamp that comes later.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION timeline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.salt IS NULL AND NEW.summary = '' AND NEW.details = '{}'::jsonb
            AND to_jsonb(NEW) - ARRAY['salt', 'summary', 'details', 'search']
                = to_jsonb(OLD) - ARRAY['salt', 'summary', 'details', 'search']
            AND EXISTS (
                SELECT FROM runbooks_redaction redaction
                WHERE redaction.event_id = OLD.id AND redaction.status = 'approved')
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'timeline entries are sealed: % is refused, record a correction instead', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION checkpoint_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - ARRAY['token', 'token_at', 'token_trouble', 'token_due_at']
        = to_jsonb(OLD) - ARRAY['token', 'token_at', 'token_trouble', 'token_due_at'] AND OLD.token IS NULL
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'checkpoints are signed: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""
TABLES = ("runbooks_verification", "runbooks_download", "runbooks_custodyevent", "runbooks_accessrecord")
GUARD = """
CREATE TRIGGER refuses_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
CREATE TRIGGER refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER refuses_change;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER refuses_truncate;
"""
UNGUARD = """
DROP TRIGGER refuses_truncate ON {table};
DROP TRIGGER refuses_change ON {table};
"""
BACKWARD = """
DROP FUNCTION checkpoint_keeps();
DROP FUNCTION only_added();
CREATE OR REPLACE FUNCTION timeline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'timeline entries are sealed: % is refused, record a correction instead', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("runbooks", "0007_seal_and_export")]
    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunSQL(
            GUARD.format(table="runbooks_checkpoint", function="checkpoint_keeps"),
            UNGUARD.format(table="runbooks_checkpoint"),
        ),
        *(
            migrations.RunSQL(GUARD.format(table=table, function="only_added"), UNGUARD.format(table=table))
            for table in TABLES
        ),
    ]
