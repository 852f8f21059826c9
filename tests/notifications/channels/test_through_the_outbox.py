"""Each channel as the outbox uses it: an address and a secret go in, and the row that comes out tells neither."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.access.vault import shut
from runbooks.contacts.models import ContactPoint, ContactRule
from runbooks.notifications.channels import channel
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import ChannelState, Notification
from runbooks.outbound.signing import new_secret
from tests.connectors.served import Said
from tests.factories import make_user
from tests.notifications.channels.peers import PEERS, Place, secrets_in, standing
from tests.notifications.conftest import Sink
from tests.notifications.making import AT, deliver_at, make_notice

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    with standing(request.param, settings) as made:
        yield made


@pytest.fixture
def person(place: Place) -> User:
    """Reached here first, and by mail where that fails."""
    user = make_user()
    by = channel(place.peer.channel)
    first = ContactPoint.objects.create(
        user=user,
        channel=place.peer.channel,
        address=by.clean(place.address),
        secret=shut(new_secret()) if by.SIGNS else "",
        added_at=AT,
        verified_at=AT,
    )
    second = ContactPoint.objects.create(
        user=user, channel="email", address="second@responders.example", added_at=AT, verified_at=AT
    )
    for position, point in enumerate((first, second)):
        ContactRule.objects.create(user=user, importance="default", position=position, point=point)
    return user


def test_a_notice_leaves_and_its_row_tells_no_secret(place: Place, person: User) -> None:
    notice = make_notice(user=person)
    assert deliver_at(AT) == 1
    attempt = notice.attempts.get()
    assert attempt.is_delivered
    assert attempt.channel == place.peer.channel
    assert bool(attempt.provider_id) is bool(place.peer.expected[0])
    assert attempt.address == channel(place.peer.channel).shown(place.address)
    assert secrets_in(str(vars(attempt))) == []
    assert len(place.asked) == 1


def test_an_address_that_is_no_more_makes_the_notice_go_by_mail(place: Place, person: User, smtp: Sink) -> None:
    place.answer = lambda _: Said(410, {"error": "gone"})
    notice = make_notice(user=person)
    deliver_at(AT)
    if place.peer.is_theirs:
        deliver_at(AT)
        assert smtp.recipients == [["second@responders.example"]]
        assert Notification.objects.get(pk=notice.pk).status == Notification.Status.DELIVERED
        assert ContactPoint.objects.get(user=person, channel=place.peer.channel).failing_since == AT
    attempt = notice.attempts.order_by("pk").first()
    assert attempt is not None
    assert not attempt.is_delivered
    assert secrets_in(str(vars(attempt))) == []


def test_one_persons_dead_server_closes_the_channel_for_nobody_else(place: Place, person: User) -> None:
    place.answer = lambda _: Said(500, {"error": "no"})
    make_notice(user=person)
    deliver_at(AT)
    state = ChannelState.objects.filter(channel=place.peer.channel).first()
    failures = state.failures if state is not None else 0
    assert failures == (0 if place.peer.is_theirs else 1)
    if state is not None and failures:
        assert state.reason_code == Reason.FAULT
