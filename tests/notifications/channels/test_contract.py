"""What holds for every channel, present and to come."""

import pytest
from pytest_django import Settings

from runbooks.contacts.models import ContactPoint
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import BadAddressError
from runbooks.notifications.models import NotificationAttempt

pytestmark = pytest.mark.parametrize("name", CHANNELS)


def test_its_name_fits_wherever_it_is_kept(name: str) -> None:
    for model in (NotificationAttempt, ContactPoint):
        assert len(name) <= (model._meta.get_field("channel").max_length or 0)


def test_it_says_what_it_is_and_how_an_address_is_written(name: str) -> None:
    by = channel(name)
    assert by.LABEL
    assert by.ADDRESS
    assert by.clean(by.EXAMPLE) == by.clean(by.clean(f"  {by.EXAMPLE} "))
    assert isinstance(by.IS_SHORT, bool)
    assert isinstance(by.SIGNS, bool)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "\x00",
        "x\ny",
        "a" * 2000,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://example.org/hooks/1",
        "https://",
        "https://user:pass@example.org/x",
        "https://example.org/x y",
        "https://example.org/x\r\nHost: evil",
        "gopher://example.org/1",
        "<script>alert(1)</script>",
        "'; DROP TABLE runbooks_contactpoint; --",
        "\u202etxt",
        "٠٧٧٠٠٩٠٠١٢٣",
    ],
)
def test_what_is_no_address_is_refused_in_words(name: str, written: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        channel(name).clean(written)
    assert str(caught.value).endswith((".", "!"))
    assert len(str(caught.value)) <= 300


def test_a_clean_address_can_be_kept_and_shown_and_belongs_to_a_host(name: str) -> None:
    by = channel(name)
    address = by.clean(by.EXAMPLE)
    assert len(address) <= (ContactPoint._meta.get_field("address").max_length or 0)
    assert 0 < len(by.shown(address)) <= (NotificationAttempt._meta.get_field("address").max_length or 0)
    domain = by.domain_of(address)
    assert domain == domain.lower().strip(".")
    assert domain.isascii()
    assert (domain == "") is (name in {"text", "voice"})


def test_a_site_that_does_not_want_it_has_not_got_it(name: str, settings: Settings) -> None:
    settings.TEXT_GATEWAY, settings.TWILIO = {"url": "x"}, {"voice_from": "+44"}
    settings.SLACK_TOKEN = settings.MATRIX_HOMESERVER = "x"
    assert channel(name).is_configured()
    settings.NOTICE_CHANNELS = [other for other in CHANNELS if other != name]
    assert not channel(name).is_configured()


def test_without_the_sites_own_account_it_is_not_set_up(name: str, settings: Settings) -> None:
    settings.TEXT_GATEWAY, settings.TWILIO = {}, {}
    settings.SLACK_TOKEN = settings.MATRIX_HOMESERVER = ""
    assert channel(name).is_configured() is (name not in {"text", "voice", "slack", "matrix"})
