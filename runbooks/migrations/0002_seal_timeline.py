"""The database is the last guard: a sealed entry is neither changed nor taken away, whoever asks."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION timeline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'timeline entries are sealed: % is refused, record a correction instead', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER timeline_refuses_change BEFORE UPDATE OR DELETE ON runbooks_timelineevent
    FOR EACH ROW EXECUTE FUNCTION timeline_refuse();
CREATE TRIGGER timeline_refuses_truncate BEFORE TRUNCATE ON runbooks_timelineevent
    FOR EACH STATEMENT EXECUTE FUNCTION timeline_refuse();
ALTER TABLE runbooks_timelineevent ENABLE ALWAYS TRIGGER timeline_refuses_change;
ALTER TABLE runbooks_timelineevent ENABLE ALWAYS TRIGGER timeline_refuses_truncate;
"""
BACKWARD = """
DROP TRIGGER timeline_refuses_truncate ON runbooks_timelineevent;
DROP TRIGGER timeline_refuses_change ON runbooks_timelineevent;
DROP FUNCTION timeline_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("runbooks", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
