"""Playing a holder who changes the password, where there is no directory to change it in."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from runbooks.affected_accounts.models import State
from runbooks.confirmations.operations.reading import changed_at_of, read_directory, reading_connection
from runbooks.incidents.models import Incident
from tests.factories import make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db


def test_the_simulated_directory_of_the_exercise_shows_it_at_once_and_no_other_does() -> None:
    incident, other = make_incident(is_exercise=True), make_incident(is_exercise=True)
    row = make_affected(incident, state=State.CONTAINED)
    said, before = StringIO(), timezone.now()
    call_command("demo_password", row.login.upper(), stdout=said)
    assert incident.reference in said.getvalue()
    assert other.reference not in said.getvalue()

    def shown(where: Incident) -> bool:
        (state,) = read_directory(where, reading_connection(where), [row.account])
        changed_at = changed_at_of(state)
        return changed_at is not None and changed_at >= before

    assert shown(incident)
    assert not shown(other)


def test_a_real_incident_is_refused() -> None:
    row = make_affected(make_incident(), make_account())
    with pytest.raises(CommandError, match="Only in an exercise"):
        call_command("demo_password", row.login)


def test_an_account_that_is_also_in_a_real_incident_is_refused() -> None:
    row = make_affected(make_incident(is_exercise=True))
    make_affected(make_incident(), row.account)
    with pytest.raises(CommandError, match="Only in an exercise"):
        call_command("demo_password", row.login)


def test_an_unknown_account_and_one_of_an_exercise_that_is_over_are_told() -> None:
    with pytest.raises(CommandError, match=r"nobody@parliament\.example is in no running incident"):
        call_command("demo_password", "nobody@parliament.example")
    row = make_affected(make_incident(is_exercise=True, status=Incident.Status.CLOSED))
    with pytest.raises(CommandError, match="is in no running incident"):
        call_command("demo_password", row.login)
