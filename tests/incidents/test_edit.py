"""Facts are edited with an optimistic lock: nobody's change is lost unseen."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.forms import DomainsField
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import CannotEditError, IncidentFacts, StaleFormError, edit
from runbooks.timeline.models import TimelineEvent

pytestmark = pytest.mark.django_db


def facts_of(incident: Incident) -> IncidentFacts:
    return IncidentFacts(
        title=incident.title,
        codename=incident.codename,
        severity=incident.severity,
        tlp=incident.tlp,
        detected_at=incident.detected_at,
        detected_by=incident.detected_by,
        time_zone=incident.time_zone,
        untrusted_domains=incident.untrusted_domains,
    )


def test_an_edit_is_recorded_with_old_and_new(incident: Incident, coordinator: User) -> None:
    facts = replace(facts_of(incident), severity=2, codename="Heron")
    edit(incident_id=incident.pk, version=1, facts=facts, actor=actor_for(coordinator), at=timezone.now())
    event = TimelineEvent.objects.get(incident=incident)
    assert event.details["changes"] == {"codename": ["", "Heron"], "severity": ["1", "2"]}
    incident.refresh_from_db()
    assert (incident.version, incident.codename) == (2, "Heron")


def test_a_form_made_from_an_older_version_is_refused_with_what_stands_now(
    incident: Incident, coordinator: User
) -> None:
    actor, at = actor_for(coordinator), timezone.now()
    edit(incident_id=incident.pk, version=1, facts=replace(facts_of(incident), title="First"), actor=actor, at=at)
    with pytest.raises(StaleFormError) as refusal:
        edit(incident_id=incident.pk, version=1, facts=replace(facts_of(incident), title="Second"), actor=actor, at=at)
    assert refusal.value.current["Title"] == "First"
    incident.refresh_from_db()
    assert incident.title == "First"


def test_domains_not_to_trust_are_said_in_words(incident: Incident, coordinator: User) -> None:
    facts = replace(facts_of(incident), untrusted_domains=["chat.example", "mail.example"])
    edit(incident_id=incident.pk, version=1, facts=facts, actor=actor_for(coordinator), at=timezone.now())
    event = TimelineEvent.objects.get(incident=incident)
    assert event.details["changes"] == {"untrusted_domains": ["", "chat.example, mail.example"]}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", []),
        (" Mail.Example. \n\nchat.example\nmail.example", ["chat.example", "mail.example"]),
        ("bücher.example", ["xn--bcher-kva.example"]),
    ],
)
def test_domains_are_kept_in_one_spelling(typed: str, kept: list[str]) -> None:
    assert DomainsField(required=False).clean(typed) == kept


@pytest.mark.parametrize("typed", ["parliament", "a b.example", "https://mail.example", "m@mail.example", "-a.example"])
def test_what_is_no_domain_is_refused_with_how_one_is_written(typed: str) -> None:
    with pytest.raises(ValidationError, match="is no domain"):
        DomainsField(required=False).clean(typed)


def test_an_edit_that_changes_nothing_leaves_no_entry(incident: Incident, coordinator: User) -> None:
    edit(incident_id=incident.pk, version=1, facts=facts_of(incident), actor=actor_for(coordinator), at=timezone.now())
    assert not TimelineEvent.objects.filter(incident=incident).exists()


def test_nothing_was_noticed_in_the_future(incident: Incident, coordinator: User) -> None:
    at = timezone.now()
    later = replace(facts_of(incident), detected_at=at + timedelta(hours=1))
    with pytest.raises(CannotEditError, match="in the future"):
        edit(incident_id=incident.pk, version=1, facts=later, actor=actor_for(coordinator), at=at)
    assert not TimelineEvent.objects.filter(incident=incident).exists()
