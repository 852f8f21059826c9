"""Changing what notices say. Each change is a version of its own, with who made it and why, and administrators hear of
it: whoever changes texts decides what everybody reads under the portal's name."""

from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from runbooks.access.models import User
from runbooks.access.permissions import ANYWHERE, Actor, require
from runbooks.errors import DomainError, NotFoundError
from runbooks.notifications.models import NoticeText
from runbooks.notifications.operations.announcing import tell
from runbooks.notifications.shipped_texts import Wording
from runbooks.notifications.text_preview import check_text
from runbooks.notifications.text_rules import BadTextError, tidied
from runbooks.notifications.text_versions import Standing, standing

NOTE_MAX: Final = 300
STALE: Final = "Somebody else changed this text since you opened it. Compare it with what it says now, then save again."


class BadNoticeTextError(DomainError):
    """What was asked for cannot be. `field` names what is wrong: subject, body or note."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class StaleTextError(DomainError):
    """Somebody else changed the text since the form was opened."""


@transaction.atomic
def edit_text(
    *, event: str, language: str, subject: str, body: str, note: str, version: int, actor: Actor, at: datetime
) -> NoticeText:
    """Write it anew. `version` is the one the form was made from; what was announced before keeps its words."""
    require(actor, "edit_notices")
    now = _changeable(event, language, version)
    wording = tidied(Wording(subject, body))
    _check(now, wording)
    if wording == now.wording:
        raise BadNoticeTextError("body", "Nothing is different from what counts now.")
    return _kept(now, wording, _noted(note), actor, at)


@transaction.atomic
def back_to_shipped(
    *, event: str, language: str, version: int, actor: Actor, at: datetime, note: str = "As shipped"
) -> NoticeText:
    """From now on as the portal came, and as later releases of it say."""
    require(actor, "edit_notices")
    now = _changeable(event, language, version)
    if now.is_shipped:
        raise BadNoticeTextError("body", "It is as shipped already.")
    return _kept(now, Wording("", ""), _noted(note), actor, at)


@transaction.atomic
def restore_text(*, event: str, language: str, number: int, version: int, actor: Actor, at: datetime) -> NoticeText:
    """Say again what an earlier version said, where that can still be used."""
    require(actor, "edit_notices")
    now = _changeable(event, language, version)
    old = NoticeText.objects.filter(event=event, language=language, version=number).exclude(body="").first()
    if old is None:
        raise NotFoundError("There is no such version with words of its own.")
    wording = Wording(old.subject, old.body)
    _check(now, wording)
    if wording == now.wording and not now.is_shipped:
        raise BadNoticeTextError("body", "That is what it says now.")
    return _kept(now, wording, f"Version {number} again", actor, at)


def _changeable(event: str, language: str, version: int) -> Standing:
    now = standing(event, language)
    if not now.event.is_editable:
        raise BadNoticeTextError(
            "body", "This notice warns of what administrators might do, so nobody rewords it. It stays as shipped."
        )
    if now.version != version:
        raise StaleTextError(STALE)
    return now


def _check(now: Standing, wording: Wording) -> None:
    try:
        check_text(now.event.name, now.language, wording)
    except BadTextError as error:
        raise BadNoticeTextError(error.field, str(error)) from None


def _noted(note: str) -> str:
    note = " ".join(note.split())
    if not note:
        raise BadNoticeTextError("note", "Say why: others will ask.")
    if len(note) > NOTE_MAX:
        raise BadNoticeTextError("note", f"It has {len(note):,} characters. Shorten it to {NOTE_MAX}.")
    return note


def _kept(now: Standing, wording: Wording, note: str, actor: Actor, at: datetime) -> NoticeText:
    """Two who save at the same moment want the same number, and the table gives it once."""
    row = NoticeText(
        event=now.event.name,
        language=now.language,
        version=now.version + 1,
        subject=wording.subject,
        body=wording.body,
        note=note,
        edited_by=actor.name[:160],
        edited_at=at,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise StaleTextError(STALE) from None
    context = {
        "who": actor.name,
        "what": now.event.says,
        "language": now.language,
        "version": row.version,
        "note": note,
        "is_shipped": not wording.body,
    }
    administrators = User.objects.filter(is_active=True, role__in=ANYWHERE["edit_notices"])
    tell(administrators, "notice.text_edited", context, at=at, about=f"text:{row.event}:{row.language}:{row.version}")
    return row
