"""Things of one incident under the address of another, by somebody who is only in that other one."""

from collections.abc import Callable, Iterator

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import COMMAND_LINE, IN_INCIDENT, actor_for
from runbooks.attachments.operations import attach_file
from runbooks.incidents.operations import end_membership
from runbooks.timeline.verify import verify_chain
from tests.access.forms import ACTION_VERBS, answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import BY_NAME, NAMES
from tests.access.traces import differences, rows
from tests.factories import make_entry, make_incident, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
# What an address of an incident names besides the incident.
IDS = (
    "affected_id",
    "key",
    "evidence_id",
    "role_id",
    "notification_id",
    "import_id",
    "line_id",
    "sequence",
    "user_id",
    "number",
    "file_number",
    "call_id",
)
FOREIGN = [(name, one) for name in NAMES for one in IDS if {"reference", one} <= set(BY_NAME[name].pattern.converters)]
IN_ROOM = [name for name in NAMES if {"reference", "incident_id"} & set(BY_NAME[name].pattern.converters)]
PLANTED, NUMBER = "planted-7f3a", 987654321


@pytest.fixture
def mine(coordinator: User) -> Room:
    return make_room(lead=coordinator)


@pytest.fixture
def theirs(db: None) -> Room:
    room = make_room()
    for number in range(5):
        make_entry(room.incident, f"Entry {room.mark}")
        upload = ContentFile(f"{room.mark} {number}".encode(), name=f"{room.mark}.txt")
        attach_file(incident_id=room.incident.pk, upload=upload, actor=COMMAND_LINE, at=timezone.now())
    return room


@pytest.fixture
def attacker(mine: Room, coordinator: User, client_of: ClientOf) -> Client:
    return client_of(coordinator)


def verbs(name: str) -> Iterator[str]:
    several = {
        "account_act": ("tier", "state", "fact", "contact", "owner"),
        "action_do": ACTION_VERBS,
        "account_code_give": ("read_out", "in_person", "colleague"),
        "desk_call_end": ("no_answer", "call_back", "reached"),
    }
    yield from several.get(name, ("",))


def test_every_kind_of_thing_is_tried() -> None:
    assert {one for _, one in FOREIGN} == set(IDS)


@pytest.mark.parametrize("foreign", IDS)
def test_a_thing_of_another_incident_is_not_found_under_ones_own(
    foreign: str, mine: Room, theirs: Room, attacker: Client
) -> None:
    # Every incident counts from 1: only a number that the other one has and this one has not is foreign.
    counted = {"sequence": theirs.incident.events, "file_number": theirs.incident.attachments}
    value = counted[foreign].count() if foreign in counted else theirs.things()[foreign]
    # A role or a person that is not there is said on the page of one's own incident.
    refusals = {404, 405, 409} if foreign in {"role_id", "user_id"} else {404, 405}
    forms, before = answers(mine), rows()
    for name in (name for name, one in FOREIGN if one == foreign):
        for verb in verbs(name):
            address = mine.address(name, **{foreign: value}, **({"verb": verb, "channel": verb} if verb else {}))
            for response in (attacker.get(address), attacker.post(address, forms.get(f"{name} {verb}".strip(), {}))):
                assert response.status_code in refusals, address
                assert theirs.mark not in response.content.decode(), address
    assert not differences(before)


@pytest.mark.parametrize("verb", ["tier", "state", "fact", "contact", "owner"])
@pytest.mark.parametrize("with_own", [True, False])
def test_a_bulk_change_takes_no_account_of_another_incident(
    verb: str, with_own: bool, mine: Room, theirs: Room, attacker: Client
) -> None:
    chosen = [theirs.account.pk, *([mine.account.pk] if with_own else [])]
    form, before = answers(mine)[f"accounts_change {verb}"], rows()
    address = f"{mine.address('accounts_change', verb=verb)}?{'&'.join(f'id={pk}' for pk in chosen)}"
    shown = attacker.get(address, follow=True)
    assert theirs.account.login not in shown.text
    response = attacker.post(address, {**form, "expected": str(len(chosen))}, follow=True)
    assert not differences(before)
    said = "1 chosen account cannot be found in this incident" if with_own else "No accounts are chosen"
    assert said in response.text


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("timeline_add", "step", lambda room: room.step.pk),
        ("timeline_add", "logins", lambda room: room.account.login),
        ("step_add", "after", lambda room: room.step.key),
        ("step_add", "depends_on", lambda room: room.step.key),
        ("step_assign", "user", lambda room: room.role.user_id),
        ("account_act owner", "owner", lambda room: room.role.user_id),
        ("accounts_change owner", "owner", lambda room: room.role.user_id),
        ("step_evidence", "requirement", lambda room: room.file.requirement or "rule"),
    ],
)
def test_no_field_of_a_form_reaches_into_another_incident(
    name: str, field: str, value: Callable[[Room], object], mine: Room, theirs: Room, attacker: Client
) -> None:
    before = rows()
    response = attacker.post(posted_to(mine, name), {**answers(mine)[name], field: str(value(theirs))})
    changed = set(differences(before))
    assert response.status_code == 400
    assert not changed - {"User"}  # `answers` makes somebody to add


@pytest.mark.parametrize("parameter", ["account", "step", "who", "burst", "q", "kind", "after", "before", "from"])
def test_no_filter_of_the_timeline_shows_entries_of_another_incident(
    parameter: str, mine: Room, theirs: Room, attacker: Client
) -> None:
    asked = {
        "account": theirs.account.login,
        "step": theirs.step.number,
        "who": theirs.incident.lead_id,
        "burst": 1,
        "q": "Entry",
        "kind": "entry.added",
        "after": "1-1",
        "before": "1-1",
        "from": "2026-01-01",
    }
    shown = attacker.get(mine.address("timeline"), {parameter: asked[parameter]})
    assert shown.status_code == 200
    assert theirs.mark not in shown.text


def test_search_and_lists_hold_nothing_of_another_incident(mine: Room, theirs: Room, attacker: Client) -> None:
    for text in ("Title", "Entry", "person", theirs.incident.reference, theirs.account.login):
        assert theirs.mark not in attacker.get(reverse("search"), {"q": text}).text
        assert theirs.mark not in attacker.get(reverse("incident_list"), {"q": text}).text
    assert mine.account.login in attacker.get(reverse("search"), {"q": mine.account.login[:-1]}).text


def test_the_cursor_of_the_list_does_not_tell_when_another_incident_was_declared(
    mine: Room, coordinator: User, client_of: ClientOf
) -> None:
    """What stands after a place says where the place is, so somebody else's incident is no place."""
    earlier = timezone.now() - timezone.timedelta(days=9)
    make_incident(lead=coordinator, status="closed", declared_at=earlier, closed_at=earlier, title="Closed long ago")
    hidden = make_incident(status="closed", declared_at=earlier - timezone.timedelta(days=1), closed_at=earlier)
    client = client_of(coordinator)
    assert "Closed long ago" in client.get(reverse("incident_list"), {"show": "over", "before": hidden.reference}).text


@pytest.mark.parametrize("who", ["left", "administrator"])
def test_who_left_and_who_only_looks_after_the_portal_find_nothing(
    who: str, mine: Room, administrator: User, client_of: ClientOf
) -> None:
    person = administrator
    if who == "left":
        person = mine.role.user
        actor = actor_for(User.objects.get(pk=mine.incident.lead_id))
        end_membership(incident_id=mine.incident.pk, user_id=person.pk, actor=actor, at=timezone.now())
    client, before = client_of(person), rows()
    for name in IN_ROOM:
        for response in (client.get(mine.address(name)), client.post(mine.address(name))):
            assert response.status_code in {404, 405}, name
            assert mine.mark not in response.content.decode(), name
    assert not differences(before)


def asked_by(name: str) -> str:
    """The permission that a form's operation asks for."""
    name, _, verb = name.partition(" ")
    if name.startswith(("account_code", "codes_")):
        return "issue_code"
    if name.startswith("desk_"):
        return "call_holders"
    if verb:
        return {
            "tier": "assess_account",
            "state": "assess_account",
            "fact": "record_fact",
            "contact": "log_contact",
            "owner": "assign_account",
            "decide": "approve_action",
            "break-glass": "break_glass",
        }.get(verb, "request_action")
    return {
        "action_new": "request_action",
        "incident_edit": "edit_incident",
        "incident_status": "change_status",
        "step_assign": "assign_step",
        "step_waive": "waive_step",
        "step_reopen": "reopen_step",
        "step_add": "add_step",
        "call_take": "answer_call",
        "timeline_add": "add_entry",
        "timeline_correct": "correct_entry",
        "timeline_pin": "pin_entry",
        "timeline_unpin": "pin_entry",
        "seal_verify": "view_seal",
        "redaction_ask": "ask_redaction",
        "redaction_withdraw": "ask_redaction",
        "redaction_refuse": "decide_redaction",
        "redaction_approve": "decide_redaction",
    }.get(name) or next(
        action
        for start, action in {
            "incident_people": "manage_people",
            "incident_role": "manage_people",
            "notice": "manage_people",
            "step": "work_steps",
            "accounts": "import_affected",
            "attachments": "attach_file",
            "attachment_": "hold_attachment",
            "export_": "export_timeline",
            "entries_import": "import_entries",
        }.items()
        if name.startswith(start)
    )


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.DESK, Role.COMMUNICATIONS, Role.RESPONDER])
def test_every_form_of_an_incident_asks_for_its_permission(role: Role, mine: Room, client_of: ClientOf) -> None:
    """The page may not show a form; whoever writes the request by hand is refused all the same."""
    person = make_user(role)
    mine.incident.memberships.create(user=person, added_by="a test", added_at=timezone.now())
    forms, client = answers(mine), client_of(person)
    forms["timeline_add"] = {**forms["timeline_add"], "pin": ""}
    refused = {name for name in forms if name.partition(" ")[0] in IN_ROOM and role not in IN_INCIDENT[asked_by(name)]}
    assert role != Role.AUDITOR or len(refused) > 25
    before = rows()
    for name in sorted(refused):
        assert client.post(posted_to(mine, name), forms[name]).status_code == 403, name
    assert not differences(before)


@pytest.mark.parametrize("name", ["incident_declare", "directory_import_new", "directory_import_columns"])
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.DESK, Role.RESPONDER])
def test_forms_outside_an_incident_ask_for_theirs(name: str, role: Role, mine: Room, client_of: ClientOf) -> None:
    forms, client, before = answers(mine), client_of(make_user(role)), rows()
    others = [form for form in forms if form.startswith(("directory_import_", "directory_account_", "witness_"))]
    for form in (name, *others):
        assert client.post(posted_to(mine, form), forms[form]).status_code == 403
    assert client.get(mine.address("directory_import")).status_code == 403
    assert not differences(before)


def test_fields_that_no_form_has_change_nothing(mine: Room, theirs: Room, attacker: Client) -> None:
    """Status, lead, head of the chain, author, moments: whatever stands in the models, sent along with every form."""
    texts = ("head_hash", "actor", "closed_by", "added_by", "made_by", "sha256", "settled_by", "reference", "file_name")
    hostile: dict[str, object] = dict.fromkeys(texts, PLANTED)
    hostile |= dict.fromkeys(("head_sequence", "number", "year", "rank", "position", "size", "corrects"), NUMBER)
    hostile |= {"status": "closed", "lead": theirs.incident.lead_id, "incident": theirs.incident.pk, "role": "auditor"}
    hostile |= {"recorded_at": "2001-02-03", "declared_at": "2001-02-03", "is_superuser": "1", "is_automated": "1"}
    lead = mine.incident.lead_id
    for name, form in answers(mine).items():
        attacker.post(posted_to(mine, name), {**hostile, **form})
    text = repr(rows())
    assert PLANTED not in text
    assert str(NUMBER) not in text
    assert "datetime.datetime(2001" not in text
    mine.incident.refresh_from_db()
    assert (mine.incident.lead_id, mine.incident.status) == (lead, "contained")
    assert not User.objects.filter(is_superuser=True).exists()
    assert not mine.incident.events.filter(is_automated=True, actor_user__isnull=False).exists()
    assert verify_chain(mine.incident.pk).broken_at is None
    assert theirs.incident.events.count() == theirs.incident.__class__.objects.get(pk=theirs.incident.pk).head_sequence
