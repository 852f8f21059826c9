"""Codes, what holders said with them, what the directory said to that, and whom the desk calls next."""

from collections import Counter
from datetime import timedelta

from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Code, Confirmation, DeskCall, LetterRun
from runbooks.confirmations.queries.calls import Urgency, queue
from runbooks.confirmations.questions import QUESTIONS
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from tests.demonstration.conftest import NOW

Truth, Answer = Confirmation.Truth, Confirmation.Answer


def test_letters_went_out_in_two_runs_and_some_codes_were_read_out(played: Incident) -> None:
    runs = LetterRun.objects.filter(incident=played).order_by("number")
    assert [run.number for run in runs] == [1, 2]
    assert all(run.letters > 10 for run in runs)
    used = Code.objects.filter(incident=played, used_at__isnull=False)
    assert set(used.values_list("channel", flat=True)) == {Code.Channel.LETTER, Code.Channel.READ_OUT}
    assert not Code.objects.filter(incident=played, address__contains="@").exists()


def test_the_directory_bears_out_all_claims_but_one_and_nothing_waits(played: Incident) -> None:
    said = Confirmation.objects.filter(incident=played)
    truths = Counter(said.values_list("truth", flat=True))
    assert truths[Truth.AGREES] > 20
    assert (truths[Truth.DIFFERS], truths[Truth.NOT_ASKED], truths[Truth.PENDING]) == (1, 1, 0)
    confirmed = AffectedAccount.objects.filter(confirmations__in=said.filter(truth=Truth.AGREES))
    assert set(confirmed.values_list("state", flat=True)) <= {
        State.HOLDER_CONFIRMED,
        State.CLEARED,
        State.RESTORED_RESTRICTED,
        State.RESTORED,
        State.WATCHED,
    }


def test_holders_answer_in_both_languages_and_one_tells_of_a_caller(played: Incident) -> None:
    said = Confirmation.objects.filter(incident=played)
    assert said.filter(language="cy").count() == 2
    assert set(said.values_list("answer", flat=True)) == set(Answer.values)
    asked = {question.key for question in QUESTIONS}
    assert all(set(one.questions) <= asked for one in said)
    (told,) = said.filter(questions__odd__icontains="service desk")
    assert "I rang off" in told.questions["odd"]


def test_who_is_not_sure_is_taken_for_broken_into_and_coordinators_are_told(played: Incident) -> None:
    unsure = Confirmation.objects.get(incident=played, answer=Answer.NOT_ME).affected_account
    assert (unsure.tier, unsure.state) == ("A", State.CONTAINED)
    raised = TimelineEvent.objects.get(incident=played, kind="account.tier_set", actor="IR Portal")
    assert raised.details["tier_before"] == "B"
    assert Notification.objects.filter(incident=played, event="holder.not_me").exists()


def test_the_first_five_of_the_desks_queue_wait_for_different_reasons(played: Incident) -> None:
    found = queue(played.pk, NOW)
    assert [one.urgency for one in found[:5]] == list(Urgency)
    assert found[2].call_back_at is not None
    assert timedelta(minutes=8) < found[2].call_back_at - NOW <= timedelta(minutes=10)
    assert {"no_answer", "not_verified"} <= {one.last_outcome for one in found}
    assert sum(one.call_from is not None for one in found) == 3


def test_two_people_of_the_desk_called_and_nobody_is_on_the_line(played: Incident) -> None:
    calls = DeskCall.objects.filter(incident=played)
    assert calls.count() > 10
    assert set(calls.values_list("taken_by__username", flat=True)) == {"service.desk", "call.desk"}
    assert set(calls.values_list("outcome", flat=True)) >= {"reached", "no_answer", "call_back", "not_verified"}
    assert not calls.filter(ended_at=None).exists()
