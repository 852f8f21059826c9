"""That the tests which attack forms know every form, with answers that are taken."""

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client

from runbooks.access.models import User
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HOLDERS = ("start", "changed", "about", "check", "call")
# What is attacked elsewhere: holders' pages (tests/confirmations), stages of a lock-down and what systems send
# (tests/actions), a connection, which is a setting; and allauth's own.
ELSEWHERE = {
    *(f"holder_{page}{language}" for page in HOLDERS for language in ("", "_cy")),
    *("action_stages", "action_stage_draft", "action_stage_stop", "api_action_decisions", "connector_answers"),
    *("account_logout", "account_change_password", "account_reauthenticate"),
    # What providers of mail, texts and calls tell (tests/notifications).
    *("notice_call_back", "mail_call_back"),
    "connection_test",
}
# What comes after another form of the same thing, or is somebody else's to do.
REFUSED = {
    *("attachment_release", "step_reopen", "account_act state", "accounts_change state", "directory_account_release"),
    *("export_cancel", "export_retry", "redaction_withdraw"),
    *("contact_point_restore", "subscription_resume"),
    "portal_notices_send_again",
    *("escalation_policy", "escalation_back", "channel_reset"),
    *("notice_text_edit", "notice_text_restore", "notice_text_ship"),
    *("action_do begin", "action_do decide", "action_do break-glass"),
}


@pytest.fixture
def room(coordinator: User) -> Room:
    return make_room(lead=coordinator)


def test_every_address_that_takes_a_form_has_an_answer(room: Room, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    said = {name: client.options(room.address(name)).headers.get("Allow", "") for name in NAMES if name != "live"}
    taking = {name for name, methods in said.items() if "POST" in methods}
    assert taking - {name.partition(" ")[0] for name in answers(room)} == ELSEWHERE


def test_every_answer_is_taken_but_for_those_that_come_later(
    room: Room, coordinator: User, client_of: ClientOf
) -> None:
    client, refused = client_of(coordinator), set()
    for name, form in answers(room).items():
        with transaction.atomic():
            if client.post(posted_to(room, name), form).status_code not in {200, 302}:
                refused.add(name)
            transaction.set_rollback(True)
    assert refused == REFUSED
