"""What holds for every channel, present and to come."""

import pytest

from runbooks.access.models import User
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import ChannelError, Message
from runbooks.notifications.models import Notification
from tests.notifications.conftest import Sink

pytestmark = pytest.mark.parametrize("name", CHANNELS)


def message_to(address: str) -> Message:
    return Message(address, "Subject", "Body\n", "0" * 64, is_exercise=True)


@pytest.fixture
def person() -> User:
    return User(username="r", name="R", email="r@responders.example", telephone="07700 900123")


def test_its_name_fits_into_the_outbox(name: str) -> None:
    assert len(name) <= (Notification._meta.get_field("channel").max_length or 0)
    assert channel(name).LABEL


def test_who_has_nothing_on_file_is_refused_in_words(name: str) -> None:
    address = channel(name).address_of(User(username="n", name="N"))
    assert address == ""
    assert channel(name).refusal(address) == "no address on file"


def test_who_can_be_reached_is_not_refused(name: str, person: User) -> None:
    assert channel(name).refusal(channel(name).address_of(person)) == ""


def test_it_carries_a_message(name: str, person: User, smtp: Sink) -> None:
    assert channel(name).send(message_to(channel(name).address_of(person))) is None
    assert len(smtp.messages) == 1


def test_when_the_other_side_is_not_there_it_says_so_and_may_be_tried_again(
    name: str, person: User, smtp_down: Sink
) -> None:
    with pytest.raises(ChannelError) as raised:
        channel(name).send(message_to(channel(name).address_of(person)))
    assert not raised.value.permanent
    assert str(raised.value).endswith(".")
