"""What people say of how they are reached: points, codes, undoing, tests. Attacks on it are in test_contact_attacks."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from django.core import mail
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, Actor, actor_for
from runbooks.access.vault import opened
from runbooks.contacts.models import ContactCode, ContactPoint, ContactPreferences, ContactRule
from runbooks.contacts.queries import routes_of
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import contacting
from runbooks.notifications.operations.contacting import Line, Preferences
from runbooks.notifications.operations.contacting.codes import TooManyCodesError, WrongCodeError
from runbooks.notifications.operations.contacting.points import CannotAddPointError, TooLateError
from runbooks.notifications.operations.contacting.preferences import BadPreferenceError
from runbooks.notifications.operations.contacting.rules import BadRuleError
from runbooks.notifications.operations.contacting.testing import CannotTestError
from tests.contacts.people import make_point
from tests.notifications.codes import code_in_mail, send_codes
from tests.notifications.conftest import Sink
from tests.notifications.making import deliver_at

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def add(
    user: User, address: str = "me@elsewhere.example", *, channel: str = "email", at: datetime = AT
) -> ContactPoint:
    return contacting.add_point(channel_name=channel, address=address, actor=actor_for(user), at=at).point


def verified(user: User, address: str = "me@elsewhere.example", *, at: datetime = AT) -> ContactPoint:
    point = add(user, address, at=at)
    send_codes(at)
    return contacting.enter_code(point_id=point.pk, typed=code_in_mail(address), actor=actor_for(user), at=at)


def told(event: str) -> set[tuple[str, str]]:
    """Where notices of this event went: (point or empty, channel)."""
    rows = Notification.objects.filter(event=event)
    return {(row.route[0]["point"] or "", row.route[0]["channel"]) for row in rows}


def test_a_new_point_counts_for_nothing_until_its_code_was_typed_in(responder: User) -> None:
    point = add(responder)
    assert routes_of([responder.pk])[responder.pk].default[0].point_id is None
    send_codes(AT)
    sent = mail.outbox[-1]
    assert sent.to == ["me@elsewhere.example"]
    contacting.enter_code(
        point_id=point.pk, typed=code_in_mail("me@elsewhere.example"), actor=actor_for(responder), at=AT + 9 * MINUTE
    )
    assert [place.point_id for place in routes_of([responder.pk])[responder.pk].default] == [point.pk]
    point.refresh_from_db()
    assert point.verified_at == AT + 9 * MINUTE


def test_no_row_and_no_queue_holds_the_code(responder: User) -> None:
    add(responder)
    send_codes(AT)
    code = code_in_mail("me@elsewhere.example")
    for row in ContactCode.objects.values():
        assert code not in str(row)
    assert len(ContactCode.objects.get().code_hash) == 64


def test_spaces_hyphens_and_other_digits_are_what_was_meant(responder: User) -> None:
    point = add(responder)
    send_codes(AT)
    code = code_in_mail("me@elsewhere.example")
    typed = f" {code[:3]}\u2013{code[3:].translate({48 + n: 0x660 + n for n in range(10)})}\u00a0"
    contacting.enter_code(point_id=point.pk, typed=typed, actor=actor_for(responder), at=AT)
    point.refresh_from_db()
    assert point.verified_at == AT


def test_a_code_is_good_for_ten_minutes_from_when_it_left(responder: User) -> None:
    point = add(responder)
    send_codes(AT + 4 * MINUTE)
    code = code_in_mail("me@elsewhere.example")
    with pytest.raises(WrongCodeError, match="older than 10 minutes"):
        contacting.enter_code(
            point_id=point.pk, typed=code, actor=actor_for(responder), at=AT + 14 * MINUTE + timedelta(seconds=1)
        )
    contacting.enter_code(point_id=point.pk, typed=code, actor=actor_for(responder), at=AT + 14 * MINUTE)


def test_only_the_newest_code_counts(responder: User) -> None:
    point = add(responder)
    send_codes(AT)
    first = code_in_mail("me@elsewhere.example")
    contacting.ask_for_code(point_id=point.pk, actor=actor_for(responder), at=AT + MINUTE)
    with pytest.raises(WrongCodeError, match="No code has left"):
        contacting.enter_code(point_id=point.pk, typed=first, actor=actor_for(responder), at=AT + MINUTE)
    send_codes(AT + MINUTE)
    second = code_in_mail("me@elsewhere.example")
    if first != second:
        with pytest.raises(WrongCodeError):
            contacting.enter_code(point_id=point.pk, typed=first, actor=actor_for(responder), at=AT + MINUTE)
    contacting.enter_code(point_id=point.pk, typed=second, actor=actor_for(responder), at=AT + MINUTE)


def test_a_point_that_counts_needs_no_more_codes(responder: User) -> None:
    point = verified(responder)
    contacting.ask_for_code(point_id=point.pk, actor=actor_for(responder), at=AT)
    assert ContactCode.objects.count() == 1


@pytest.mark.parametrize(
    ("channel", "address", "field"),
    [
        ("email", "not an address", "address"),
        ("email", "", "address"),
        ("pigeon", "me@elsewhere.example", "channel"),
        ("text", "+44 20 7219 3000", "channel"),  # no gateway here
        ("email", "me@parliament.example", "address"),
        ("email", "me@mail.PARLIAMENT.example", "address"),
    ],
)
def test_what_cannot_be_a_point_is_refused_with_the_mend(
    channel: str, address: str, field: str, responder: User
) -> None:
    with pytest.raises(CannotAddPointError) as raised:
        add(responder, address, channel=channel)
    assert raised.value.field == field
    assert not ContactPoint.objects.exists()
    assert not ContactCode.objects.exists()


def test_the_institutions_own_mail_is_refused_with_the_reason(responder: User) -> None:
    with pytest.raises(CannotAddPointError, match=r"parliament\.example belongs to the institution"):
        add(responder, "me@parliament.example")


def test_the_same_address_is_added_once_and_again_after_it_was_taken_out(responder: User) -> None:
    point = add(responder)
    with pytest.raises(CannotAddPointError, match="already"):
        add(responder)
    contacting.end_point(point_id=point.pk, actor=actor_for(responder), at=AT)
    assert add(responder).pk != point.pk


def test_two_people_may_share_a_duty_telephone_and_neither_learns_of_the_other(responder: User, desk: User) -> None:
    verified(responder, "duty@elsewhere.example")
    assert verified(desk, "duty@elsewhere.example").verified_at == AT


def test_nobody_has_more_than_twelve_points(responder: User) -> None:
    for number in range(12):
        make_point(responder, "email", f"p{number}@elsewhere.example")
    with pytest.raises(CannotAddPointError, match="12 contact points"):
        add(responder)


def test_a_webhook_gets_a_secret_that_is_said_once_and_kept_shut(responder: User, settings: Settings) -> None:
    settings.NOTICE_CHANNELS = ["email", "webhook"]
    added = contacting.add_point(
        channel_name="webhook", address="https://hooks.example.org/a", actor=actor_for(responder), at=AT
    )
    assert added.secret.startswith("whsec_")
    assert added.secret not in repr(added)
    kept = ContactPoint.objects.get().secret
    assert added.secret not in kept
    assert opened(kept) == added.secret


def test_the_command_line_has_no_contact_points() -> None:
    with pytest.raises(NotAllowedError):
        contacting.add_point(channel_name="email", address="a@b.example", actor=COMMAND_LINE, at=AT)


# Sending


def test_a_code_that_could_not_be_sent_says_why(responder: User, smtp_down: Sink) -> None:
    point = add(responder)
    send_codes(AT)
    code = ContactCode.objects.get()
    assert code.status == ContactCode.Status.FAILED
    assert "mail server" in code.reason
    assert code.code_hash == ""
    with pytest.raises(WrongCodeError, match="No code has left"):
        contacting.enter_code(point_id=point.pk, typed="123456", actor=actor_for(responder), at=AT)


def test_a_refused_address_says_what_the_server_said(responder: User, smtp: Sink) -> None:
    smtp.recipient_answers = ["550 no such mailbox"]
    add(responder)
    send_codes(AT)
    assert "no such mailbox" in ContactCode.objects.get().reason


def test_a_code_leaves_once(responder: User, smtp: Sink) -> None:
    add(responder)
    send_codes(AT)
    send_codes(AT + MINUTE)
    assert len(smtp.messages) == 1
    assert ContactCode.objects.get().status == ContactCode.Status.SENT


def test_a_worker_that_died_leaves_a_lease_that_runs_out(responder: User) -> None:
    point = add(responder)
    ContactCode.objects.update(code_hash="0" * 64, leased_until=AT + MINUTE, expires_at=AT + 10 * MINUTE)
    send_codes(AT + timedelta(seconds=30))
    assert mail.outbox == []
    send_codes(AT + 2 * MINUTE)
    code = code_in_mail("me@elsewhere.example")
    contacting.enter_code(point_id=point.pk, typed=code, actor=actor_for(responder), at=AT + 2 * MINUTE)


def test_a_code_that_waited_too_long_is_not_sent_any_more(responder: User) -> None:
    add(responder)
    send_codes(AT + 10 * MINUTE)
    assert mail.outbox == []
    code = ContactCode.objects.get()
    assert (code.status, code.reason) == ("failed", "No worker could send it in time. Have a new one sent.")


def test_nothing_is_sent_to_a_point_that_was_taken_out_meanwhile(responder: User) -> None:
    point = add(responder)
    contacting.end_point(point_id=point.pk, actor=actor_for(responder), at=AT)
    send_codes(AT)
    assert mail.outbox == []
    assert ContactCode.objects.get().status == ContactCode.Status.FAILED


def test_a_code_speaks_the_persons_language(responder: User) -> None:
    ContactPreferences.objects.create(user=responder, language="cy")
    add(responder)
    send_codes(AT)
    assert mail.outbox[-1].subject.startswith("IR Portal: eich cod yw ")


def test_a_code_has_no_link_to_press_and_says_what_to_do_when_it_was_not_asked_for(responder: User) -> None:
    add(responder)
    send_codes(AT)
    body = str(mail.outbox[-1].body)
    assert "://" not in body
    assert "You did not ask for a code?" in body
    assert "Nobody ever asks you for this code" in body


# Telling


def test_a_point_that_begins_to_count_is_told_by_all_other_ways_and_not_by_itself(responder: User) -> None:
    old = make_point(responder, "email", "old@elsewhere.example")
    make_point(responder, "email", "never@elsewhere.example", verified_at=None)
    make_point(responder, "email", "gone@elsewhere.example", ended_at=AT)
    verified(responder)
    assert told("contact.added") == {(str(old.pk), "email"), ("", "email")}
    words = Notification.objects.filter(event="contact.added")[0]
    assert "me@elsewhere.example" in words.subject
    assert words.recipient == responder


def test_until_then_nothing_is_told(responder: User) -> None:
    make_point(responder, "email", "old@elsewhere.example")
    point = add(responder)
    contacting.end_point(point_id=point.pk, actor=actor_for(responder), at=AT)
    assert not Notification.objects.exists()


def test_the_address_on_file_is_told_once_where_it_is_a_point_as_well(responder: User) -> None:
    own = make_point(responder, "email", responder.email)
    verified(responder)
    assert told("contact.added") == {(str(own.pk), "email")}


def test_a_point_that_is_taken_out_is_told_itself_too(responder: User, smtp: Sink) -> None:
    point = make_point(responder, "email", "old@elsewhere.example")
    contacting.end_point(point_id=point.pk, actor=actor_for(responder), at=AT)
    assert told("contact.ended") == {(str(point.pk), "email"), ("", "email")}
    deliver_at(AT)
    assert sorted(to for [to] in smtp.recipients) == sorted(["old@elsewhere.example", responder.email])
    assert all("taken out" in message.get_content() for message in smtp.messages)


def test_what_is_told_of_ones_own_ways_does_not_wait_for_the_morning(responder: User, smtp: Sink) -> None:
    ContactPreferences.objects.create(user=responder, time_zone="UTC", quiet_from=time(7), quiet_until=time(19))
    point = make_point(responder, "email", "old@elsewhere.example")
    contacting.end_point(point_id=point.pk, actor=actor_for(responder), at=AT)
    deliver_at(AT)
    assert len(smtp.messages) == 2


def test_taking_out_is_taken_back_within_an_hour_and_rules_hold_again(responder: User) -> None:
    point = make_point(responder, "email", "old@elsewhere.example")
    actor = actor_for(responder)
    contacting.set_rule(importance="default", lines=[Line(point.pk)], actor=actor, at=AT)
    contacting.end_point(point_id=point.pk, actor=actor, at=AT)
    assert routes_of([responder.pk])[responder.pk].default[0].point_id is None
    contacting.restore_point(point_id=point.pk, actor=actor, at=AT + HOUR)
    assert routes_of([responder.pk])[responder.pk].default[0].point_id == point.pk
    assert told("contact.added") == {("", "email")}


def test_what_was_taken_out_long_ago_is_added_anew(responder: User) -> None:
    point = make_point(responder, "email", "old@elsewhere.example", ended_at=AT)
    with pytest.raises(TooLateError):
        contacting.restore_point(point_id=point.pk, actor=actor_for(responder), at=AT + HOUR + MINUTE)
    add(responder, "old@elsewhere.example")
    with pytest.raises(TooLateError):
        contacting.restore_point(point_id=point.pk, actor=actor_for(responder), at=AT)


# Tests


def test_a_test_leaves_by_the_outbox_and_its_attempt_is_a_row(responder: User, smtp: Sink) -> None:
    point = make_point(responder, "email", "me@elsewhere.example")
    contacting.send_test(point_id=point.pk, actor=actor_for(responder), at=AT)
    deliver_at(AT)
    attempt = NotificationAttempt.objects.get()
    assert (attempt.point_id, attempt.is_delivered) == (point.pk, True)
    assert smtp.recipients == [["me@elsewhere.example"]]


def test_a_test_that_fails_is_not_carried_elsewhere(responder: User, smtp: Sink) -> None:
    smtp.recipient_answers = ["550 no such mailbox"]
    make_point(responder, "email", "other@elsewhere.example")
    point = make_point(responder, "email", "me@elsewhere.example")
    contacting.send_test(point_id=point.pk, actor=actor_for(responder), at=AT)
    deliver_at(AT)
    assert smtp.messages == []
    notice = Notification.objects.get()
    assert notice.status == Notification.Status.FAILED
    assert "no such mailbox" in NotificationAttempt.objects.get().reason


def test_tests_are_for_points_that_count_and_ten_an_hour(responder: User) -> None:
    unverified = make_point(responder, "email", "me@elsewhere.example", verified_at=None)
    with pytest.raises(CannotTestError):
        contacting.send_test(point_id=unverified.pk, actor=actor_for(responder), at=AT)
    point = make_point(responder, "email", "other@elsewhere.example")
    for number in range(10):
        contacting.send_test(point_id=point.pk, actor=actor_for(responder), at=AT + number * MINUTE)
    with pytest.raises(CannotTestError, match="10 tests"):
        contacting.send_test(point_id=point.pk, actor=actor_for(responder), at=AT + 10 * MINUTE)
    assert Notification.objects.count() == 10


# Rules


def test_a_rule_is_kept_in_its_order_and_the_first_line_waits_for_nothing(responder: User) -> None:
    one, two = make_point(responder, "email", "a@b.example"), make_point(responder, "email", "c@d.example")
    contacting.set_rule(
        importance="important",
        lines=[Line(two.pk, 9), Line(one.pk, 5), Line(two.pk)],
        actor=actor_for(responder),
        at=AT,
    )
    rows = ContactRule.objects.order_by("position").values_list("position", "point_id", "wait_minutes")
    assert list(rows) == [(0, two.pk, 0), (1, one.pk, 5), (2, two.pk, 0)]


def test_a_changed_rule_is_told_once_in_a_quarter_of_an_hour(responder: User) -> None:
    one, two = make_point(responder, "email", "a@b.example"), make_point(responder, "email", "c@d.example")
    actor = actor_for(responder)
    for at, lines in [(AT, [one, two]), (AT + MINUTE, [two, one]), (AT + 2 * MINUTE, [two])]:
        contacting.set_rule(importance="important", lines=[Line(point.pk) for point in lines], actor=actor, at=at)
    assert Notification.objects.filter(event="contact.rules_changed").count() == 3  # two points, the address on file
    contacting.drop_rule(importance="important", actor=actor, at=AT + 20 * MINUTE)
    assert Notification.objects.filter(event="contact.rules_changed").count() == 6
    assert not ContactRule.objects.exists()


def test_a_rule_saved_as_it_is_is_told_to_nobody(responder: User) -> None:
    point = make_point(responder, "email", "a@b.example")
    for at in (AT, AT + HOUR):
        contacting.set_rule(importance="default", lines=[Line(point.pk)], actor=actor_for(responder), at=at)
    assert Notification.objects.filter(created_at__gt=AT).count() == 0


@pytest.mark.parametrize("which", ["somebody else's", "unverified", "ended", "unknown"])
def test_a_rule_names_ones_own_points_that_count(which: str, responder: User, desk: User) -> None:
    point_id = {
        "somebody else's": make_point(desk, "email", "a@b.example").pk,
        "unverified": make_point(responder, "email", "c@d.example", verified_at=None).pk,
        "ended": make_point(responder, "email", "e@f.example", ended_at=AT).pk,
        "unknown": UUID(int=1),
    }[which]
    with pytest.raises(BadRuleError):
        contacting.set_rule(importance="default", lines=[Line(point_id)], actor=actor_for(responder), at=AT)
    assert not ContactRule.objects.exists()


@pytest.mark.parametrize(("importance", "count", "wait"), [("x", 1, 0), ("default", 0, 0), ("default", 11, 0)])
def test_a_rule_has_some_lines(importance: str, count: int, wait: int, responder: User) -> None:
    point = make_point(responder, "email", "a@b.example")
    with pytest.raises(BadRuleError):
        contacting.set_rule(
            importance=importance, lines=[Line(point.pk, wait)] * count, actor=actor_for(responder), at=AT
        )


@pytest.mark.parametrize("wait", [-1, 1441])
def test_nobody_waits_for_longer_than_a_day(wait: int, responder: User) -> None:
    point = make_point(responder, "email", "a@b.example")
    with pytest.raises(BadRuleError):
        contacting.set_rule(
            importance="default", lines=[Line(point.pk), Line(point.pk, wait)], actor=actor_for(responder), at=AT
        )


# Quiet hours, language, digest


def prefer(actor: Actor, at: datetime = AT, **changes: object) -> None:
    fields = {"language": "en-gb", "time_zone": "Europe/London", **changes}
    contacting.set_preferences(wanted=Preferences(**fields), actor=actor, at=at)  # type: ignore[arg-type]


def test_preferences_are_kept_and_read_by_the_routes(responder: User) -> None:
    prefer(actor_for(responder), language="cy", quiet_from=time(22), quiet_until=time(7), digest_at=time(8, 30))
    kept = ContactPreferences.objects.get()
    assert (kept.language, kept.quiet_from, kept.digest_at) == ("cy", time(22), time(8, 30))
    found = routes_of([responder.pk])[responder.pk]
    assert found.language == "cy"
    assert found.quiet is not None


def test_changed_quiet_hours_are_told_and_another_language_is_not(responder: User) -> None:
    actor = actor_for(responder)
    prefer(actor, language="cy", digest_at=time(8))
    assert not Notification.objects.exists()
    prefer(actor, quiet_from=time(22), quiet_until=time(7))
    assert told("contact.rules_changed") == {("", "email")}
    prefer(actor, AT + HOUR, quiet_from=time(22), quiet_until=time(7), time_zone="America/New_York")
    assert Notification.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"language": "tlh"}, "language"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"quiet_from": time(22)}, "quiet_until"),
        ({"quiet_until": time(7)}, "quiet_from"),
        ({"quiet_from": time(7), "quiet_until": time(7)}, "quiet_until"),
        ({"quiet_from": time(7), "quiet_until": time(6, 59)}, "quiet_until"),
        ({"quiet_from": time(7), "quiet_until": time(21, 1)}, "quiet_until"),
    ],
)
def test_preferences_that_cannot_be_say_which(changes: dict[str, object], field: str, responder: User) -> None:
    with pytest.raises(BadPreferenceError) as raised:
        prefer(actor_for(responder), **changes)
    assert raised.value.field == field
    assert not ContactPreferences.objects.exists()


# Limits


def test_five_codes_an_hour_leave_for_one_person(responder: User) -> None:
    for number in range(5):
        add(responder, f"p{number}@elsewhere.example", at=AT + number * MINUTE)
        send_codes(AT + number * MINUTE)
    with pytest.raises(TooManyCodesError):
        add(responder, "p6@elsewhere.example", at=AT + 6 * MINUTE)
    assert ContactPoint.objects.count() == 5
    assert add(responder, "p6@elsewhere.example", at=AT + HOUR + MINUTE)


def test_codes_that_surely_did_not_leave_do_not_use_up_the_five(responder: User, smtp_down: Sink) -> None:
    for number in range(6):
        add(responder, f"p{number}@elsewhere.example", at=AT + number * MINUTE)
        send_codes(AT + number * MINUTE)
    assert ContactCode.objects.filter(status="failed").count() == 6


def test_but_fifteen_an_hour_are_asked_for_in_all(responder: User, smtp_down: Sink) -> None:
    point = add(responder)
    for _ in range(14):
        send_codes(AT)
        contacting.ask_for_code(point_id=point.pk, actor=actor_for(responder), at=AT)
    send_codes(AT)
    with pytest.raises(TooManyCodesError):
        contacting.ask_for_code(point_id=point.pk, actor=actor_for(responder), at=AT)


def test_a_point_that_is_not_ones_own_is_not_found(responder: User, desk: User) -> None:
    theirs = make_point(desk, "email", "a@b.example")
    pending = make_point(desk, "email", "c@d.example", verified_at=None)
    gone = make_point(desk, "email", "e@f.example", ended_at=AT)
    actor = actor_for(responder)
    for call in (
        lambda: contacting.end_point(point_id=theirs.pk, actor=actor, at=AT),
        lambda: contacting.restore_point(point_id=gone.pk, actor=actor, at=AT),
        lambda: contacting.send_test(point_id=theirs.pk, actor=actor, at=AT),
        lambda: contacting.ask_for_code(point_id=pending.pk, actor=actor, at=AT),
        lambda: contacting.enter_code(point_id=pending.pk, typed="123456", actor=actor, at=AT),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert not Notification.objects.exists()
    assert not ContactCode.objects.exists()
