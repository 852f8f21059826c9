"""What a check of the chain in the database finds, and from where on it may begin."""

import pytest
from django.db import connection

from runbooks.exports.checking import check_chain
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.exports.bundles import erase, make_chain, tamper
from tests.factories import make_entry, make_incident


@pytest.fixture
def chain(db: None) -> Incident:
    incident = make_chain(12, {9: 3})
    incident.refresh_from_db()
    return incident


def hash_of(incident: Incident, sequence: int) -> str:
    return TimelineEvent.objects.get(incident=incident, sequence=sequence).hash


def delete(incident: Incident, sequence: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE runbooks_timelineevent DISABLE TRIGGER timeline_refuses_change")
        TimelineEvent.objects.filter(incident=incident, sequence=sequence).delete()


def test_a_sound_chain_is_sound_to_its_head(chain: Incident) -> None:
    finding = check_chain(chain.pk, checkpoints={5: hash_of(chain, 5), 12: chain.head_hash})
    assert (finding.is_sound, finding.checked, finding.what) == (True, 12, "")
    assert (finding.head_sequence, finding.head_hash) == (12, chain.head_hash)


def test_a_check_goes_on_from_where_the_last_one_ended(chain: Incident) -> None:
    before = check_chain(chain.pk)
    for number in range(3):
        make_entry(chain, f"Later {number}")
    tamper(chain, 2, summary="Rewritten")
    finding = check_chain(chain.pk, after=before.head_sequence, hash_after=before.head_hash)
    assert (finding.is_sound, finding.checked, finding.head_sequence) == (True, 3, 15)
    wrong = check_chain(chain.pk, after=12, hash_after="0" * 64)
    assert (wrong.first_break, wrong.checked, wrong.what) == (13, 0, "it does not follow the entry before it")
    assert check_chain(chain.pk).first_break == 2


def test_an_incident_without_entries_is_sound(db: None) -> None:
    assert check_chain(make_incident().pk).is_sound


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"summary": "Rewritten"}, "its content is not what was sealed"),
        ({"details": {"n": 7.5}}, "its content is not what was sealed"),
        ({"details": {"n": 10**400}}, "its content is not what was sealed"),
        ({"actor": "Somebody else"}, "its hash does not match"),
    ],
)
def test_a_changed_entry_is_the_first_break(chain: Incident, changes: dict[str, object], what: str) -> None:
    tamper(chain, 7, **changes)
    finding = check_chain(chain.pk)
    assert (finding.first_break, finding.checked, finding.what) == (7, 6, what)


def test_a_tail_that_was_cut_off_is_found(chain: Incident) -> None:
    delete(chain, 12)
    finding = check_chain(chain.pk)
    assert (finding.first_break, finding.checked, finding.what) == (12, 11, "entry 12 is missing")


def test_a_tail_that_was_cut_off_with_the_head_moved_is_found_by_a_checkpoint(chain: Incident) -> None:
    remembered = {12: chain.head_hash}
    delete(chain, 12)
    Incident.objects.filter(pk=chain.pk).update(head_sequence=11, head_hash=hash_of(chain, 11))
    assert check_chain(chain.pk).is_sound
    finding = check_chain(chain.pk, checkpoints=remembered)
    assert (finding.first_break, finding.what) == (12, "entry 12 is missing")


def test_a_history_written_anew_is_found_by_a_checkpoint(chain: Incident) -> None:
    finding = check_chain(chain.pk, checkpoints={5: "0" * 64})
    assert (finding.first_break, finding.what) == (5, "a checkpoint remembers another hash")


def test_another_head_than_the_incident_remembers_is_found(chain: Incident) -> None:
    Incident.objects.filter(pk=chain.pk).update(head_hash="0" * 64)
    finding = check_chain(chain.pk)
    assert (finding.first_break, finding.what) == (12, "it is not the head that the incident remembers")


def test_content_that_was_taken_out_without_a_redaction_is_found(chain: Incident) -> None:
    erase(chain, 6)
    finding = check_chain(chain.pk)
    assert (finding.first_break, finding.what) == (6, "its content was taken out without a redaction")
