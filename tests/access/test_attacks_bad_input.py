"""Odd values in every address and every field. Nothing that somebody sends is an error of ours, then or afterwards."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import example, given
from hypothesis import strategies as st

from runbooks.access.models import User
from runbooks.timeline.moments import YEARS, UnreadableMomentError, parse
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
NUMBERS = ("-1", "0", "9" * 20, "9" * 5000, "1e400", "²", "١", "1.5")
TEXTS = ("\0", "a\0b", "x" * 10_000, "\U0010ffff\u2028\ufeff", "%_\\'\"", "a " * 100, '"' * 99, "-" * 99, "[[")
# With an offset some of these lie outside what Python and PostgreSQL can say; with others only one of the two can.
FAR_MOMENTS = (
    *("0001-01-01", "9999-12-31", "0001-01-01T00:00", "9999-12-31T23:59", "1969-12-31 23:59", "2100-01-01 00:00"),
    *("0001-01-01 00:00 +14:00", "9999-12-31 23:59 -14:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"),
)
ODD_MOMENTS = (
    "00:00 +99:99",
    "99:99",
    "32 Jan",
    "2026-02-30",
    "mon " * 2000,
    "1 jan " + "9" * 20,
    "2026-W01-1",
    "2026",
)


def cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CURSORS = (
    *("!", "====", cursor([]), cursor({}), cursor([1]), cursor([None, None]), cursor([float("inf"), 1])),
    *(cursor(["\0", 1]), cursor(["\ud800", 1]), cursor([10**30, 10**30]), cursor([1, -1]), cursor(["x", "y"])),
    *(base64.urlsafe_b64encode(b"[" * 5000).decode(), cursor(["0001-01-01T00:00:00+14:00", 1])),
    *("1-1", "999999999999999999-1", "1-999999999999999999", "-1-1", "1-", "20260101T000000000000.x", "99999999T9.x"),
    *(f"00010101T000000000000.{'0' * 32}", f"99991231T235959999999.{'f' * 32}", "IR-2026-0001", "IR-1-1"),
)
PARAMETERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "incident_list": {"q": TEXTS, "show": TEXTS[:2], "severity": NUMBERS, "runbook": TEXTS, "before": CURSORS},
    "search": {"q": TEXTS},
    "my_work": {"q": TEXTS[:2]},
    "timeline": {
        **dict.fromkeys(("q", "kind", "account"), TEXTS),
        **dict.fromkeys(("step", "who", "burst", "lines"), NUMBERS),
        **dict.fromkeys(("from", "to", "draw"), (*FAR_MOMENTS, *ODD_MOMENTS)),
        **dict.fromkeys(("after", "before"), CURSORS),
    },
    "timeline_entry": {"before": NUMBERS},
    "accounts": {**dict.fromkeys(("q", "group", "sort"), TEXTS), "owner": NUMBERS, "after": CURSORS, "before": CURSORS},
    "accounts_change": {"id": NUMBERS, "whole": TEXTS[:2], "owner": NUMBERS, "q": TEXTS},
    "action": {"after": NUMBERS},
    "actions": {"before": NUMBERS, "show": TEXTS[:2]},
    "action_new": {"id": NUMBERS, "whole": TEXTS[:2], "q": TEXTS, "everyone": TEXTS[:2], "kind": TEXTS, "step": TEXTS},
    "accounts_unresolved": {"after": NUMBERS, "find": TEXTS, "line": NUMBERS},
    "account_detail": {"before": NUMBERS},
    "steps": {"owner": (*NUMBERS, "role:", "role:zqx"), "open": TEXTS, "show": TEXTS[:2]},
    "notices": {"before": CURSORS, "show": TEXTS[:2]},
    "directory": {**dict.fromkeys(("q", "department", "kind"), TEXTS), "after": NUMBERS},
    "directory_imports": {"before": NUMBERS},
    "directory_import": {"after": NUMBERS, "show": TEXTS[:2]},
    "incident_declare": {"runbook": TEXTS, "exercise": NUMBERS},
    "mail_sink": {"before": TEXTS},
    "account_login": {"next": TEXTS},
}


@pytest.fixture
def room(coordinator: User) -> Room:
    return make_room(lead=coordinator)


@pytest.fixture
def client(room: Room, coordinator: User, client_of: ClientOf) -> Client:
    return client_of(coordinator)


def within(client: Client, method: str, address: str, fields: Mapping[str, Any]) -> int:
    """The status of the answer; whatever it changed is undone. An error of ours is raised."""
    with transaction.atomic():
        status: int = getattr(client, method)(address, fields).status_code
        transaction.set_rollback(True)
    return status


def verbs(name: str) -> Iterator[dict[str, str]]:
    yield from ({"verb": verb} for verb in (("tier", "contact") if name == "accounts_change" else ("owner",)))


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_parameter_of_an_address_breaks_its_page(name: str, room: Room, client: Client) -> None:
    for parameter, values in PARAMETERS[name].items():
        for value in values:
            for verb in verbs(name):
                status = within(client, "get", room.address(name, **verb), {parameter: value})
                assert status in {200, 302, 400, 404}, (parameter, value[:40])


def test_no_cursor_breaks_a_sorted_table(room: Room, client: Client) -> None:
    for sort, direction, value in product(("login", "changed"), ("after", "before"), CURSORS):
        assert within(client, "get", room.address("accounts"), {"sort": sort, direction: value}) == 200


def test_no_number_in_an_address_breaks_it(room: Room, client: Client) -> None:
    named = {"affected_id", "evidence_id", "role_id", "import_id", "line_id", "sequence", "user_id", "account_id"}
    named |= {"number", "position", "rota_id", "shift_id"}
    for name, number in product(NAMES, ("9" * 18, "9" * 19, "9" * 5000)):
        address = room.address(name, **dict.fromkeys(named, 31415926535)).replace("31415926535", number)
        if number in address:
            assert within(client, "get", address, {}) in {404, 405}, name
            assert within(client, "post", address, {}) in {400, 404, 405, 409}, name


def test_no_reference_breaks_a_page(room: Room, client: Client) -> None:
    for path in ("%00", "%ff", "%c0%af", "x" * 5000, "%E2%80%AE", "..%2f..", "İ", "ß", "{}", "%25s"):
        for address in (f"/incidents/{path}/", f"/incidents/{path}/timeline/", f"/runbooks/{path}/", f"/live/{path}/"):
            assert within(client, "get", address, {}) in {400, 404}, path


def test_no_header_breaks_a_page(room: Room, client: Client) -> None:
    headers = ("X-Live", "HX-Request", "HX-Current-URL", "Referer", "Accept-Language", "Cookie")
    values = (*NUMBERS[:4], "\xb2", "http://[::1", "x" * 5000, "session=; messages=x; csrftoken=\xff")
    for header, value in product(headers, values):
        assert client.get(room.address("timeline"), headers={header: value}).status_code in {200, 302}
    for header in headers:
        refused = client.post(reverse("incident_declare"), {}, headers={header: "http://[::1"})
        assert refused.status_code in {302, 400}


COUNTED = {
    "stop_after_failures",
    "batch_size",
    "version",
    "user",
    "step",
    "severity",
    "owner",
    "account",
    "expected",
    "lead",
    "pick-1",
    "expected-new",
    "redaction",
    "second",
    "row",
    "shift-user",
    "weeks-weeks",
    "weeks-turn_1",
    "line-0-wait",
}
# Asks for a password, and refuses whoever has a part in the request.
PROVING = {"action_do decide", "action_do break-glass", "action_do begin", "redaction_approve"}
PROVING |= {"account_code_give colleague"}
# For administrators alone, whatever is typed.
PROVING |= {"escalation_policy", "escalation_back", "channel_reset", "portal_notices_send_again"}
PROVING |= {"notice_text_edit", "notice_text_restore", "notice_text_ship"}
# What is shown or handed over at once: it stands nowhere else.
SHOWN = {"codes_new", "account_code_give read_out", "account_code_give in_person", "account_code_give colleague"}
SHOWN |= {"desk_call_reference", "desk_call_end reached", "subscription_new", "subscription_secret"}
# At most so many codes an hour.
LIMITED = {"contact_point_add"}
WHEN = {"shift-starts_at", "shift-ends_at", "weeks-first_day", "prefer-digest_at"}
WHEN |= {"review_at", "when", "detected_at", "due_at", "at", "call_from", "call_until"}


def test_no_field_of_a_form_is_an_error_of_ours(room: Room, client: Client) -> None:
    forms = answers(room)
    # Each form about accounts stands at two addresses, which read it the same way.
    names = [name for name in forms if not name.startswith("accounts_change ") or name.endswith("fact")]
    for name in names:
        tries = [{field: "9" * 5000 if field in COUNTED else "x" * 10_000} for field in forms[name]]
        tries += [{field: "a\0b"} for field in forms[name]]
        tries += [{field: value} for field in WHEN & set(forms[name]) for value in FAR_MOMENTS]
        tries += [dict.fromkeys(forms[name], odd) for odd in ("", "\U0010ffff\u2028\r\n-1", "9" * 20)]
        for odd in tries:
            status = within(client, "post", posted_to(room, name), {**forms[name], **odd})
            taken = {302, 400, 404, 409, 413} | ({403, 429} if name in PROVING else set())
            taken |= {200} if name in SHOWN else {429} if name in LIMITED else set()
            assert status in taken, (name, str(odd)[:80])


SHOWING = ("incident_list", "incident", "timeline", "steps", "incident_edit")


@pytest.mark.parametrize(
    ("name", "field"),
    [("incident_edit", "detected_at"), ("timeline_add", "when"), ("step_add", "due_at"), ("account_act fact", "when")],
)
def test_no_moment_that_is_taken_breaks_a_page_afterwards(name: str, field: str, room: Room, client: Client) -> None:
    """A row that cannot be shown breaks every page with it, for everybody, and a sealed one stays for ever."""
    form, taken = answers(room)[name], 0
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        room.incident.__class__.objects.filter(pk=room.incident.pk).update(time_zone=zone)
        for value in (*FAR_MOMENTS, "1970-01-01 00:00", "1970-01-01T00:00", "2099-12-31T23:59", "2099-12-31 23:59"):
            with transaction.atomic():
                answer = client.post(posted_to(room, name), {**form, field: value, "time_zone": zone, "q": value})
                if answer.status_code == 302:
                    taken += 1
                    for page in SHOWING:
                        assert client.get(room.address(page), {"draw": value}).status_code == 200
                transaction.set_rollback(True)
    assert taken >= 2


def test_no_range_of_the_timeline_is_drawn_for_ever(room: Room, client: Client) -> None:
    for first, last in product(("", "1970-01-01", "0001-01-01"), ("", "1970-01-02", "2099-12-31", "9999-12-31")):
        shown = client.get(room.address("timeline"), {"from": first, "to": last, "draw": "range"})
        assert shown.status_code == 200
        assert len(shown.content) < 400_000, (first, last)


@given(
    text=st.text(max_size=80) | st.from_regex(r"[0-9a-z:+./ ,TZ-]{0,40}", fullmatch=True),
    zone=st.sampled_from(["UTC", "Asia/Tokyo"]),
)
@example(text="0001-01-01 00:00 +14:00", zone="UTC")
@example(text="9999-12-31 23:59 -14:00", zone="UTC")
@example(text="0001-01-01", zone="Asia/Tokyo")
@example(text="mon " * 20, zone="UTC")
def test_whatever_is_written_is_a_moment_that_can_be_said_or_none(text: str, zone: str) -> None:
    now = datetime(2026, 6, 23, 9, 7, tzinfo=UTC)
    try:
        at = parse(text, ZoneInfo(zone), now).at
    except UnreadableMomentError:
        return
    assert YEARS[0] - 1 <= at.year <= YEARS[-1] + 1
