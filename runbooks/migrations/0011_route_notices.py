from django.db import migrations

ROUTE = """
UPDATE runbooks_notificationattempt attempt
SET channel = notice.channel, address = notice.address
FROM runbooks_notification notice WHERE notice.id = attempt.notification_id;
UPDATE runbooks_notification
SET route = jsonb_build_array(jsonb_build_object('point', NULL, 'channel', channel, 'wait', 0)),
    brief = subject,
    status = CASE status WHEN 'refused' THEN 'held' ELSE status END;
"""


class Migration(migrations.Migration):
    """Notices have a route from now on, of which the one channel they had is the only place."""

    dependencies = [("runbooks", "0010_deliver_surely")]

    operations = [
        migrations.RunSQL(ROUTE, migrations.RunSQL.noop),
        migrations.RemoveField("notification", "channel"),
        migrations.RemoveField("notification", "address"),
    ]
