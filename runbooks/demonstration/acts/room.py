"""Who came into the room, who led it when, and what was changed of the incident itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from runbooks.demonstration.people import PEOPLE, Kind
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentFacts, add_member, edit, give_role

# In the order in which they came; who leads is in from the declaration.
ARRIVALS = (
    ("security", "0:03"),
    ("scribe", "0:04"),
    ("deputy", "0:07"),
    ("directory", "0:11"),
    ("mail", "0:12"),
    ("desk", "0:13"),
    ("network", "0:14"),
    ("communications", "0:15"),
    ("protection", "0:16"),
    ("legal", "0:17"),
)


def cues() -> Iterator[Cue]:
    kinds = {person.key: person.kinds for person in PEOPLE}
    for key, when in ARRIVALS:
        for place, kind in enumerate(kinds[key]):
            yield Cue(clock(when) + timedelta(seconds=20 * place), _gives("duty", key, kind))
    yield Cue(clock("0:23"), _adds("duty", "auditor"))
    yield Cue(clock("21:13"), _adds("deputy", "caller"))
    yield Cue(clock("0:58"), _raises_severity)
    yield Cue(clock("12:12"), _gives("duty", "deputy", Kind.LEAD, "second shift; everything open is on the steps page"))
    yield Cue(clock("12:13"), _gives("deputy", "duty", Kind.DEPUTY, "off for ten hours, reached on the card’s number"))
    yield Cue(clock("22:40"), _gives("deputy", "duty", Kind.LEAD, "quiet shift, restoration to be decided"))
    yield Cue(clock("22:41"), _gives("duty", "deputy", Kind.DEPUTY))


def _gives(who: str, key: str, kind: Kind, note: str = "") -> Play:
    def play(stage: Stage, at: datetime) -> None:
        give_role(
            incident_id=stage.incident_id,
            kind=kind,
            user_id=stage.users[key].pk,
            note=note,
            actor=stage.actors[who],
            at=at,
        )

    return play


def _adds(who: str, key: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        user_id = stage.users[key].pk
        add_member(incident_id=stage.incident_id, user_id=user_id, actor=stage.actors[who], at=at)

    return play


def _raises_severity(stage: Stage, at: datetime) -> None:
    incident = Incident.objects.get(pk=stage.incident_id)
    facts = IncidentFacts(
        title=incident.title,
        codename=incident.codename,
        severity=Incident.Severity.CRITICAL,
        tlp=incident.tlp,
        detected_at=incident.detected_at,
        detected_by=incident.detected_by,
        time_zone=incident.time_zone,
    )
    edit(incident_id=incident.pk, version=incident.version, facts=facts, actor=stage.actors["duty"], at=at)
