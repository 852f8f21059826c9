"""What every form of the portal posts: answers that are taken, so that a test can spoil them one by one."""

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from runbooks.confirmations.queries.planning import plan_codes
from runbooks.confirmations.views.desk.codes import digest_of
from runbooks.directory.models import Account
from tests.access.rooms import Room
from tests.factories import PASSWORD, make_user

Answers = Mapping[str, Any]


class Upload(SimpleUploadedFile):
    """Can be sent more than once: a client leaves off at its end."""

    def read(self, *size: int) -> bytes:
        self.seek(0)
        return super().read(*size)


def answers(room: Room) -> dict[str, Answers]:
    """{name of an address: fields that a coordinator of the room may post there}

    Where an address takes several forms, its name is followed by which.
    """
    return {
        **_incident(room),
        **_timeline(room),
        **_files(),
        **_steps(room),
        **_lists(room),
        **_verbs(room),
        **_actions(room),
        **_codes(room),
        **_desk(room),
        **_rotas(room),
        **_calling(),
        **_contacts(room),
        **_texts(),
        **_exports(room),
        **_directory(),
    }


def _incident(room: Room) -> dict[str, Answers]:
    return {
        "incident_declare": {
            "title": "Another",
            "severity": "2",
            "runbook": "compromised-accounts",
            "detected_at": "2026-01-05T08:00",
            "detected_by": "Gateway",
            "lead": str(room.incident.lead_id),
            "tlp": "AMBER",
            "codename": "Egret",
            "time_zone": "Europe/London",
            "is_exercise": "on",
        },
        "incident_edit": {
            "title": "Other title",
            "severity": "2",
            "tlp": "RED",
            "codename": "Crane",
            "detected_at": "2026-01-05T08:00",
            "detected_by": "Somebody",
            "time_zone": "Europe/Paris",
            "version": str(room.incident.version),
        },
        "incident_status": {"status": "contained", "reason": "All of them are"},
        "subscription_new": {"name": "Tickets", "url": "https://tickets.example/", "incident": "all", "which": "all"},
        "subscription_resume": {"skip": "1"},
        "subscription_pause": {"reason": ""},
        "subscription_secret": {"reason": ""},
        "subscription_test": {"reason": ""},
        "subscription_send_again": {"reason": ""},
        "subscription_send_failed": {"reason": ""},
        "subscription_end": {"reason": ""},
        "portal_notices_send_again": {"reason": ""},
        "incident_people_add": {"user": str(make_user().pk)},
        "incident_people_end": {"reason": ""},
        "incident_role_give": {"kind": "scribe", "user": str(room.role.user_id), "note": "The log so far"},
        "incident_role_end": {"reason": ""},
        "notice_try_again": {"address": "x@outside.example"},
    }


def _timeline(room: Room) -> dict[str, Answers]:
    return {
        "notices_send_again": {"recipient": str(room.incident.lead_id)},
        "notices_seen_all": {"until": timezone.now().isoformat()},
        "notice_seen": {"next": "/incidents/"},
        "notices_settle": {"recipient": str(room.incident.lead_id), "how": "By telephone"},
        "timeline_add": {
            "lane": "note",
            "when": "2026-01-05 08:00",
            "summary": "Seen",
            "step": str(room.step.pk),
            "precision": "minute",
            "logins": room.account.login,
            "pin": "on",
            "next": "/incidents/",
        },
        "timeline_correct": {"summary": "Other words", "when": "2026-01-05 08:00", "reason": "Misread"},
        "timeline_pin": {"sequence": "1"},
        "timeline_unpin": {"sequence": "1"},
    }


def _files() -> dict[str, Answers]:
    return {
        "attachments": {"upload": Upload("a.log", b"a log"), "note": "Seen", "sequence": "1"},
        "attachment_hold": {"reason": "The police asked"},
        "attachment_release": {"reason": "The court is done"},
    }


def _steps(room: Room) -> dict[str, Answers]:
    version = {"version": "1"}
    return {
        "step_add": {
            "title": "Added",
            "after": room.step.key,
            "role": "lead",
            "instruction": "Do it.",
            "evidence": "A note",
            "depends_on": room.step.key,
            "two_person": "on",
            "due_at": (timezone.now() + timezone.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M"),
        },
        "step_claim": {"key": room.step.key},
        "step_start": {"key": room.step.key},
        "step_assign": {"user": str(room.incident.lead_id), **version},
        "step_complete": {"reason": "Done", **version},
        "step_waive": {"reason": "Not needed", **version},
        "step_reopen": {"reason": "Again", **version},
        "step_evidence": {"requirement": "", "note": "Seen", "url": "https://example.com/a", **version},
        "step_evidence_withdraw": {"reason": "Wrong file", **version},
    }


def _lists(room: Room) -> dict[str, Answers]:
    return {
        "accounts_import": {"text": f"{room.mark} of nowhere"},
        "accounts_import_preview": {"pick-1": str(room.account.account_id), "find-1": "given"},
        "accounts_settle": {"account": "nobody", "reason": "A typing error"},
    }


def _verbs(room: Room) -> dict[str, Answers]:
    """The forms about accounts stand at two addresses: for one account, and for all that are ticked."""
    found: dict[str, Answers] = {}
    for verb, fields in {
        "tier": {"tier": "A", "reason": "Logs"},
        "state": {"after": "compromised", "reason": "Logs"},
        "fact": {"kind": "rules_checked", "holds": "yes", "source": "A colleague", "when": "now", "note": "None"},
        "contact": {
            "channel": "phone",
            "outcome": "reached",
            "identity_check": "Known by voice",
            "address": "",
            "address_source": "HR",
            "when": "now",
            "note": "Calls back",
        },
        "owner": {"owner": str(room.incident.lead_id)},
    }.items():
        found[f"account_act {verb}"] = {**fields, "version": "1"}
        found[f"accounts_change {verb}"] = {**fields, "expected": "1"}
    return found


def _contacts(room: Room) -> dict[str, Answers]:
    point = str(room.point.pk)
    return {
        "contact_point_add": {"point-channel": "email", "point-address": "another@elsewhere.example"},
        "contact_point_code": {"code": "123456"},
        "contact_point_send_code": {"reason": ""},
        "contact_point_test": {"reason": ""},
        "contact_rule": {"line-0-point": point, "line-0-wait": "0", "new": point, "do": "add"},
        "contact_preferences": {
            "prefer-language": "cy",
            "prefer-time_zone": "Europe/London",
            "prefer-quiet_from": "22:00",
            "prefer-quiet_until": "07:00",
            "prefer-digest_at": "08:00",
        },
        "contact_point_end": {"reason": ""},
        "contact_point_restore": {"reason": ""},
    }


def _calling() -> dict[str, Answers]:
    return {
        "call_take": {"reason": ""},
        "channel_reset": {"reason": ""},
        "escalation_policy": {
            "version": "0",
            "severity_at_most": "3",
            "repeats": "1",
            "is_active": "on",
            "note": "Nights are long",
            "to_1": "lead",
            "wait_1": "10",
        },
        "escalation_back": {"back-version": "0", "back-note": "It was better"},
    }


def _rotas(room: Room) -> dict[str, Answers]:
    person, now = str(room.incident.lead_id), timezone.now()
    return {
        "rota_add": {"name": "Nights", "time_zone": "Europe/London"},
        "rota_shift_add": {
            "shift-user": person,
            "shift-starts_at": f"{now:%Y-%m-%dT%H:%M}",
            "shift-ends_at": f"{now + timezone.timedelta(days=2):%Y-%m-%dT%H:%M}",
        },
        "rota_weeks_add": {
            "weeks-first_day": f"{now:%Y-%m-%d}",
            "weeks-hand_over": "09:00",
            "weeks-weeks": "4",
            "weeks-turn_1": person,
        },
        "rota_shift_take_back": {"reason": ""},
        "rota_end": {"reason": ""},
    }


def _texts() -> dict[str, Answers]:
    """Of an administrator, as are all forms about the texts of notices."""
    words = {"subject": "{{ number }}", "body": "See action {{ number }}.", "note": "Shorter", "version": "0"}
    return {
        "notice_text_edit": {f"text-cy-{name}": value for name, value in words.items()} | {"do": "save"},
        "notice_text_restore": {"version": "0", "number": "1"},
        "notice_text_ship": {"version": "0"},
    }


ACTION_VERBS = ("request", "begin", "exclude", "take-in", "resolve", "decide", "break-glass", "withdraw")


def _actions(room: Room) -> dict[str, Answers]:
    """Drafting an action for an account and for everyone, and what is done with a draft, withdrawing it last."""
    version = {"version": str(room.action.version)}
    left = room.action.exclusions.get().login
    new = {"expected": "1", "connection": "people", "reason": "They got in", "stop_after_failures": "5"}
    harm = {"expected_harm": "No mail", "review_at": f"{timezone.now() + timezone.timedelta(days=2):%Y-%m-%dT%H:%M}"}
    everyone = str(Account.objects.filter(gone_at__isnull=True).count())
    given: dict[str, Answers] = {
        "exclude": {"logins": room.account.login, "reason": "Duty", **version},
        "take-in": {"login": left, "reason": "Seen in use", "sure": "on", **version},
        "decide": {"choice": "refused", "digest": "", "comment": "Too early", "number": "", "has_read": "on"},
        "break-glass": {"reason": "It cannot wait", "password": "wrong"},
    }
    return {
        "action_new": {**new, "kind": "lock_account", "batch_size": "10"},
        "action_new everyone": {**new, **harm, "kind": "restrict_remote_access", "expected": everyone},
        **{f"action_do {verb}": given.get(verb, version) for verb in ACTION_VERBS},
    }


def _codes(room: Room) -> dict[str, Answers]:
    """A letter to the holder, and a code by each way that a person gives one."""
    chosen = plan_codes(incident_id=room.incident.pk, affected_ids=[room.account.pk], at=timezone.now())
    number = room.account.account.mobile
    colleague = {"colleague": "Bo Larsen, Room 2", "second": str(room.role.user_id), "password": PASSWORD}
    return {
        "codes_new": {
            f"way-{room.account.pk}": "letter",
            "language": "own",
            "do": "letters",
            "seen": digest_of(chosen),
        },
        "account_code_give read_out": {"number": number, "check": "called_back", "note": "By voice"},
        "account_code_give in_person": {"check": "pass", "note": "A pass"},
        "account_code_give colleague": colleague,
    }


def _desk(room: Room) -> dict[str, Answers]:
    """The endings of a call last: the first that is taken ends it."""
    number, row = room.account.account.mobile, room.account.pk
    return {
        "desk_take": {"account": str(row), "tier": "", "office": "", "begins": "", "rang": "1"},
        "desk_results": {
            "row": str(row),
            f"outcome-{row}": "no_answer",
            f"when-{row}": "now",
            f"check-{row}": "",
            f"note-{row}": "It rang",
            f"back-{row}": "",
        },
        "desk_call_reference": {},
        "desk_call_hours": {"call_from": "09:00", "call_until": "11:30"},
        "desk_call_end no_answer": {"outcome": "no_answer", "number": number, "note": "It rang"},
        "desk_call_end call_back": {"outcome": "call_back", "at": "14:00", "best_until": "16:00", "note": "At lunch"},
        "desk_call_end reached": {
            "outcome": "reached",
            "number": number,
            "check": "called_back",
            "note": "By voice",
            "with_code": "on",
        },
    }


def _exports(room: Room) -> dict[str, Answers]:
    redaction = {"redaction": str(room.redaction.pk)}
    return {
        "export_ask": {"format": "csv", "query": "q=Entry", "order": "sequence", "purpose": "The court", "bom": "1"},
        "export_cancel": {"reason": ""},
        "export_retry": {"reason": ""},
        "entries_import": {"file": Upload("e.csv", b"datetime,message\n2026-01-05T08:00:00Z,Seen\n")},
        "entries_import_file": {
            "tool": "spreadsheet",
            "mapped": "spreadsheet",
            "source": "A colleague",
            "zone": "UTC",
            "twice": "first",
            "day_order": "dmy",
            "lane": "note",
            "column-0": "occurred_at",
            "column-1": "summary",
        },
        "seal_verify": {},
        "redaction_ask": {"legal_basis": "UK GDPR, Article 17", "reason": "Health data"},
        "redaction_withdraw": redaction,
        "redaction_refuse": {**redaction, "note": "It is needed"},
        "redaction_approve": {**redaction, "note": "Agreed", "password": PASSWORD},
        "witness_add": {"name": "An office", "channel": "mail", "address": "office@outside.example"},
        "witness_try_again": {},
        "witness_end": {},
    }


def _directory() -> dict[str, Answers]:
    return {
        "directory_account_protect": {"kind": "break_glass", "reason": "It must work"},
        "directory_account_release": {},
        "directory_import_new": {"file": Upload("d.csv", b"mail\nb@parliament.example\n")},
        "directory_import_columns": {"column-0": "login", "column-1": "display_name"},
        "directory_import_apply": {"allow_gone": "1", "expected-new": "1", "expected-gone": "1"},
        "directory_import_discard": {"reason": ""},
    }


def posted_to(room: Room, name: str) -> str:
    """The address a form of `answers` posts to."""
    name, _, which = name.partition(" ")
    other: dict[str, Any] = {"verb": which, "channel": which} if which else {}
    if name in {"redaction_withdraw", "redaction_refuse", "redaction_approve"}:
        other["sequence"] = room.redaction.event.sequence
    if name == "entries_import_file":
        other["file_number"] = room.entries.number
    address = room.address(name, **other)
    if name == "action_new" and which == "everyone":
        return f"{address}?everyone=1&kind=restrict_remote_access"
    return f"{address}?id={room.account.pk}" if name in {"accounts_change", "action_new", "codes_new"} else address
