"""Many entries straight into the table: their hashes are a filling, only their places count."""

from datetime import datetime, timedelta

from django.db import connection

from runbooks.incidents.models import Incident

# Of ten entries seven are of a machine and one run, three of a person.
FILL = """
INSERT INTO runbooks_timelineevent (incident_id, sequence, kind, lane, summary, details, salt, actor, is_automated,
    occurred_at, occurred_precision, recorded_at, previous, commitment, hash, account_ids, burst)
SELECT %(incident)s, n, 'account.fact_recorded',
    (ARRAY['detection', 'action', 'action', 'decision', 'contact', 'note'])[1 + n %% 6],
    'Entry number ' || n, '{}', '\\x00',
    CASE WHEN n %% 10 < 7 THEN 'IR Portal' ELSE 'Scribe' END, n %% 10 < 7,
    %(start)s::timestamptz + n * %(step)s::interval, 'second', %(start)s::timestamptz + n * %(step)s::interval,
    'filling', 'filling', 'filling', '{}', CASE WHEN n %% 10 < 7 THEN greatest(n - n %% 10, %(first)s) END
FROM generate_series(%(first)s, %(last)s) AS n
"""
BINS = """
INSERT INTO runbooks_timelinebin (incident_id, starts_at, lane, entries)
SELECT incident_id, date_bin('15 minutes', occurred_at, '2000-01-01 00:00+00'), lane, count(*)
FROM runbooks_timelineevent WHERE incident_id = %s GROUP BY 1, 2, 3
ON CONFLICT (incident_id, starts_at, lane) DO UPDATE SET entries = EXCLUDED.entries
"""


def fill_timeline(incident: Incident, count: int, start: datetime, step: timedelta = timedelta(seconds=20)) -> None:
    """Add so many entries, `step` apart from `start` on, and let the incident know."""
    first = incident.head_sequence + 1
    last = incident.head_sequence + count
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"incident": incident.pk, "first": first, "last": last, "start": start - first * step, "step": step}
        )
        cursor.execute(BINS, [incident.pk])
        cursor.execute("ANALYZE runbooks_timelineevent")
    incident.head_sequence = last
    incident.save(update_fields=["head_sequence"])
