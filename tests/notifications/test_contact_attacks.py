"""Attacks on how people are reached: others' points, guessed codes, showers of codes, hostile addresses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.contacts.models import ContactCode, ContactPoint
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import contacting
from runbooks.notifications.operations.contacting.codes import TooManyCodesError, WrongCodeError
from runbooks.notifications.operations.contacting.points import CannotAddPointError
from tests.contacts.people import make_point
from tests.factories import make_user
from tests.notifications.codes import code_in_mail, send_codes
from tests.notifications.conftest import Sink

ClientOf = Callable[[User], Client]
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAGE = "/contact-points/"
VERBS = ["code", "send-code", "test", "end", "restore"]


@pytest.mark.django_db
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", ["verified", "unverified", "ended"])
def test_somebody_elses_point_looks_like_none_at_all(
    verb: str, state: str, responder: User, desk: User, client_of: ClientOf
) -> None:
    changes = {"verified": {}, "unverified": {"verified_at": None}, "ended": {"ended_at": timezone.now()}}[state]
    point = make_point(desk, "email", "heron@elsewhere.example", **changes)
    client = client_of(responder)
    theirs = client.post(f"{PAGE}{point.pk}/{verb}/", {"code": "123456"})
    none = client.post(f"{PAGE}{uuid4()}/{verb}/", {"code": "123456"})
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert "heron" not in theirs.text
    part = client.get(f"{PAGE}{point.pk}/", headers={"HX-Request": "true"})
    assert part.status_code == 404
    assert "heron" not in client.get(PAGE).text
    kept = ContactPoint.objects.get()
    assert (kept.ended_at, kept.verified_at) == (point.ended_at, point.verified_at)
    assert not Notification.objects.exists()
    assert not ContactCode.objects.exists()


@pytest.mark.django_db
def test_an_administrator_has_no_way_into_anothers_points_either(
    administrator: User, desk: User, client_of: ClientOf
) -> None:
    point = make_point(desk, "email", "heron@elsewhere.example")
    assert client_of(administrator).post(f"{PAGE}{point.pk}/end/").status_code == 404


@pytest.mark.django_db
def test_a_code_is_not_guessed(responder: User) -> None:
    point = contacting.add_point(
        channel_name="email", address="me@elsewhere.example", actor=actor_for(responder), at=AT
    ).point
    send_codes(AT)
    right = code_in_mail("me@elsewhere.example")
    wrong = [f"{(int(right) + number) % 10**6:06d}" for number in range(1, 6)]
    for guess in wrong:
        with pytest.raises(WrongCodeError):
            contacting.enter_code(point_id=point.pk, typed=guess, actor=actor_for(responder), at=AT)
    with pytest.raises(WrongCodeError, match="5 wrong codes"):
        contacting.enter_code(point_id=point.pk, typed=right, actor=actor_for(responder), at=AT)
    assert ContactPoint.objects.get().verified_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["", " ", "0" * 1000, "\u0000", "12345", "1234567", "None", "½", "²²²²²²", "٣٣٣٣٣٣"])
def test_no_typing_error_is_an_error_of_ours_or_a_way_in(typed: str, responder: User) -> None:
    point = contacting.add_point(
        channel_name="email", address="me@elsewhere.example", actor=actor_for(responder), at=AT
    ).point
    send_codes(AT)
    if code_in_mail("me@elsewhere.example") in {"333333", "222222"}:
        return
    with pytest.raises(WrongCodeError):
        contacting.enter_code(point_id=point.pk, typed=typed, actor=actor_for(responder), at=AT)


@pytest.mark.django_db
def test_a_code_belongs_to_its_point_and_its_person(responder: User, desk: User) -> None:
    mine, theirs = (
        contacting.add_point(channel_name="email", address=address, actor=actor_for(user), at=AT).point
        for user, address in ((responder, "me@elsewhere.example"), (desk, "you@elsewhere.example"))
    )
    send_codes(AT)
    code, other = code_in_mail("you@elsewhere.example"), code_in_mail("me@elsewhere.example")
    if code == other:
        return
    with pytest.raises(WrongCodeError):
        contacting.enter_code(point_id=mine.pk, typed=code, actor=actor_for(responder), at=AT)
    assert theirs.verified_at is None


@pytest.mark.django_db
def test_ten_people_together_send_a_stranger_three_codes_an_hour(db: None) -> None:
    address = "stranger@elsewhere.example"
    refused = 0
    for number in range(10):
        try:
            contacting.add_point(
                channel_name="email",
                # However it is written.
                address=address.upper() if number % 2 else address,
                actor=actor_for(make_user()),
                at=AT + number * MINUTE,
            )
        except TooManyCodesError:
            refused += 1
        send_codes(AT + number * MINUTE)
    assert refused == 7
    assert len(mail.outbox) == 3


@pytest.mark.django_db
def test_taking_out_and_adding_again_does_not_begin_a_new_count(responder: User) -> None:
    actor = actor_for(responder)
    for number in range(3):
        point = contacting.add_point(channel_name="email", address="x@elsewhere.example", actor=actor, at=AT).point
        send_codes(AT + number * MINUTE)
        contacting.end_point(point_id=point.pk, actor=actor, at=AT)
    with pytest.raises(TooManyCodesError):
        contacting.add_point(channel_name="email", address="x@elsewhere.example", actor=actor, at=AT + 4 * MINUTE)


@pytest.mark.django_db
def test_the_answer_is_the_same_whether_the_address_is_somebodys(
    responder: User, desk: User, client_of: ClientOf
) -> None:
    make_point(desk, "email", "taken@elsewhere.example")
    client = client_of(responder)
    taken = client.post(f"{PAGE}add/", {"point-channel": "email", "point-address": "taken@elsewhere.example"})
    free = client.post(f"{PAGE}add/", {"point-channel": "email", "point-address": "frees@elsewhere.example"})
    assert taken.status_code == free.status_code == 302
    assert len(taken["Location"]) == len(free["Location"])


HOSTILE = [
    "me@elsewhere.example\r\nBcc: everybody@elsewhere.example",
    "me@elsewhere.example\nSubject: pay",
    "me@elsewhere.example, other@elsewhere.example",
    "me@elsewhere.example;other@elsewhere.example",
    "<me@elsewhere.example>",
    "Me <me@elsewhere.example>",
    "me@elsewhere.example\u2028Bcc: x@y.example",
    "me@elsewhere.example\x0b",
    "me@\u202eelpmaxe.erehwesle",
    "me@parliament\u3002example",
    "me@PARLIAMENT.example.",
    "me@xn--parliament.example\x00",
    "@",
    "a" * 600 + "@elsewhere.example",
    "me@[127.0.0.1]",
    "me@elsewhere..example",
    "' OR 1=1 --",
    "<script>alert(1)</script>@elsewhere.example",
]


@pytest.mark.django_db
@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_is_refused_or_one_recipient_and_no_header(
    address: str, responder: User, client_of: ClientOf, smtp: Sink
) -> None:
    response = client_of(responder).post(f"{PAGE}add/", {"point-channel": "email", "point-address": address})
    assert response.status_code in {302, 400}
    assert "<script>alert" not in response.text
    send_codes(timezone.now())
    for message, recipients in zip(smtp.messages, smtp.recipients, strict=True):
        assert len(recipients) == 1
        assert message["Bcc"] is None
        assert message["Subject"].startswith("IR Portal: your code is ")
    for point in ContactPoint.objects.all():
        assert point.address.isprintable()
        assert "parliament" not in point.address
    page = client_of(responder).get(PAGE)
    assert page.status_code == 200
    assert "<script>alert" not in page.text


@pytest.mark.django_db
def test_letters_beyond_ascii_arrive_or_are_said_not_to(responder: User, client_of: ClientOf, smtp: Sink) -> None:
    address = "llŷr@gwynedd-ŵy.example"
    client_of(responder).post(f"{PAGE}add/", {"point-channel": "email", "point-address": address})
    send_codes(timezone.now())
    for code in ContactCode.objects.all():
        assert code.status in {"sent", "failed"}
        assert code.reason or code.status == "sent"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest", "https://user:pass@hooks.example.org/", "file:///etc/passwd", "https://"],
)
def test_an_address_to_call_is_no_way_into_the_network(address: str, responder: User) -> None:
    with pytest.raises(CannotAddPointError):
        contacting.add_point(channel_name="webhook", address=address, actor=actor_for(responder), at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["https://127.0.0.1:9/x", "https://10.0.0.1/x", "https://localhost/x"])
def test_a_private_address_is_not_called_and_the_page_says_so(address: str, responder: User) -> None:
    try:
        contacting.add_point(channel_name="webhook", address=address, actor=actor_for(responder), at=AT)
    except CannotAddPointError:
        return
    send_codes(AT)
    code = ContactCode.objects.get()
    assert code.status == "failed"
    assert code.reason


@pytest.mark.django_db(transaction=True)
def test_five_guesses_are_five_though_twenty_come_at_once() -> None:
    user = make_user(Role.RESPONDER)
    point = contacting.add_point(
        channel_name="email", address="me@elsewhere.example", actor=actor_for(user), at=AT
    ).point
    send_codes(AT)
    right = int(code_in_mail("me@elsewhere.example"))

    def guess(number: int) -> str:
        try:
            typed = f"{(right + 1 + number) % 10**6:06d}"
            contacting.enter_code(point_id=point.pk, typed=typed, actor=actor_for(user), at=AT)
        except WrongCodeError as error:
            return str(error)
        finally:
            connection.close()
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(guess, range(20)))
    assert "taken" not in said
    assert ContactCode.objects.get().tries == 5


@pytest.mark.django_db(transaction=True)
def test_a_code_leaves_once_though_two_workers_look() -> None:
    for _ in range(6):
        contacting.add_point(
            channel_name="email", address=f"{uuid4().hex}@elsewhere.example", actor=actor_for(make_user()), at=AT
        )

    def work(_: int) -> int:
        try:
            return send_codes(AT)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(mail.outbox) == 6
    assert len({message.to[0] for message in mail.outbox}) == 6


@pytest.mark.django_db(transaction=True)
def test_three_codes_to_an_address_are_three_though_ten_people_ask_at_once() -> None:
    users = [make_user() for _ in range(10)]

    def ask(user: User) -> bool:
        try:
            contacting.add_point(
                channel_name="email", address="stranger@elsewhere.example", actor=actor_for(user), at=AT
            )
        except TooManyCodesError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, users)) == 3
