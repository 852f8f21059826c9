"""A run of letters: codes that work, one PDF, and a list of envelopes without them."""

import re
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.confirmations.codes import CONFIRM_PASSWORD, digest_of
from runbooks.confirmations.models import Code, LetterRun
from runbooks.confirmations.operations.printing import CannotPrintError, Printed, envelope_list, print_letters
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.conftest import Texts
from tests.confirmations.holders import days_ago, make_holder
from tests.pdf import read, words

pytestmark = pytest.mark.django_db
CODE = re.compile(r"(?<!IR-)\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")


def printed(incident: Incident, who: User, *rows: AffectedAccount, **changes: Any) -> Printed:
    return print_letters(
        incident_id=incident.pk,
        affected_ids=[row.pk for row in rows],
        actor=actor_for(who),
        at=timezone.now(),
        **changes,
    )


def test_the_code_in_the_letter_is_the_one_that_works(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    made = printed(incident, desk, row)
    (code,) = set(CODE.findall(words(read(made.pdf))))
    kept = Code.objects.get()
    assert kept.digest == digest_of(CONFIRM_PASSWORD, row.login, code)
    assert (kept.channel, kept.address, kept.issued_by) == ("letter", "Room 412, Library", str(desk))
    assert "/confirm" in words(read(made.pdf))


def test_a_run_of_ninety_is_one_line_of_the_timeline_with_no_code_in_it(incident: Incident, coordinator: User) -> None:
    rows = [make_holder(incident) for _ in range(90)]
    made = printed(incident, coordinator, *rows)
    codes = set(CODE.findall(words(read(made.pdf))))
    assert len(codes) == 90
    entry = TimelineEvent.objects.get(kind="letters.printed")
    assert entry.details == {"run": 1, "letters": 90}
    said = " ".join(f"{event.summary} {event.details}" for event in TimelineEvent.objects.all())
    assert not codes & set(CODE.findall(said))
    assert not {code.replace("-", "") for code in codes} & set(said.split())
    assert ContactAttempt.objects.filter(channel="letter", outcome="sent").count() == 90
    assert verify_chain(incident.pk).broken_at is None


def test_the_envelope_list_names_the_same_holders_in_the_same_order_and_no_code(incident: Incident, desk: User) -> None:
    rows = [make_holder(incident, on_file={"office": f"Room {number}"}) for number in range(1, 4)]
    made = printed(incident, desk, *rows)
    text = words(read(envelope_list(incident_id=incident.pk, run_number=1, actor=actor_for(desk)).pdf))
    for row in rows:
        assert row.display_name in text
    assert not CODE.search(text)
    letters = [words_of for words_of in (page.extract_text() for page in read(made.pdf).pages) if CODE.search(words_of)]
    order = [next(row.pk for row in rows if row.login in page) for page in letters]
    assert order == [row.pk for row in sorted(rows, key=lambda row: row.login)]


def test_each_letter_is_in_its_holders_language_and_the_entry_says_which(
    incident: Incident, desk: User, settings: Settings
) -> None:
    settings.HOLDER_URL = "https://help.parliament.example"
    settings.DESK_TELEPHONE = "020 7946 0100"
    rows = [make_holder(incident, on_file={"language": language}) for language in ("cy", "")]
    pages = read(printed(incident, desk, *rows).pdf).pages
    by_login = {row.login: " ".join(page.extract_text().split()) for row in rows for page in pages
                if row.login in page.extract_text()}  # fmt: skip
    welsh, english = (by_login[row.login] for row in rows)
    assert "Mae rhywun wedi ceisio torri i mewn i’n cyfrifon" in welsh
    assert "help.parliament.example/cadarnhau" in welsh
    assert "020 7946 0100 (cymharwch â’r rhif" in welsh
    assert "Somebody has tried to get into accounts of ours" in english
    assert "help.parliament.example/confirm" in english
    assert "020 7946 0100 (compare it with" in english
    said = {event.details["account"]: event.details["language"]
            for event in TimelineEvent.objects.filter(kind="code.issued", details__has_key="account")}  # fmt: skip
    assert said == {rows[0].login: "cy", rows[1].login: "en-gb"}


@pytest.mark.parametrize("language", ["en-gb", "cy"])
def test_all_may_be_in_one_language_and_none_holds_a_link(incident: Incident, desk: User, language: Any) -> None:
    rows = [make_holder(incident, on_file={"language": own}) for own in ("cy", "en-gb")]
    pdf = read(printed(incident, desk, *rows, language=language).pdf)
    assert "://" not in words(pdf)
    assert [page.get("/Annots") for page in pdf.pages] == [None, None]
    heading = {"en-gb": "Confirm that you have changed", "cy": "Cadarnhewch eich bod wedi newid"}[language]
    assert words(pdf).count(heading) == 2


def test_who_has_a_mobile_can_have_a_letter(incident: Incident, desk: User, texts: Texts) -> None:
    assert printed(incident, desk, make_holder(incident)).run.letters == 1
    assert Code.objects.get().channel == "letter"


def test_a_lost_run_is_printed_again_with_new_codes(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    first, second = printed(incident, desk, row), printed(incident, desk, row)
    assert (first.run.number, second.run.number) == (1, 2)
    assert CODE.findall(words(read(first.pdf))) != CODE.findall(words(read(second.pdf)))
    assert Code.objects.filter(superseded_at__isnull=True).count() == 1
    assert Code.objects.count() == 2


def test_an_office_that_changed_lately_needs_its_own_tick(incident: Incident, desk: User) -> None:
    row = make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    with pytest.raises(CannotPrintError, match="changed 12 days ago"):
        printed(incident, desk, row)
    assert not Code.objects.exists()
    assert printed(incident, desk, row, fresh_ids=[row.pk]).run.letters == 1


def test_whoever_has_no_office_gets_no_letter_and_nobody_else_does(incident: Incident, desk: User) -> None:
    rows = [make_holder(incident), make_holder(incident, on_file={"office": "", "department": ""}, department="")]
    with pytest.raises(CannotPrintError, match="No letter can go"):
        printed(incident, desk, *rows)
    assert not Code.objects.exists()
    assert not LetterRun.objects.exists()


def test_five_hundred_and_one_are_too_many(incident: Incident, desk: User) -> None:
    with pytest.raises(CannotPrintError, match="500"):
        print_letters(incident_id=incident.pk, affected_ids=list(range(501)), actor=actor_for(desk), at=timezone.now())


def test_who_may_not_issue_codes_prints_nothing(incident: Incident, auditor: User, outsider: User) -> None:
    row = make_holder(incident)
    with pytest.raises(NotAllowedError):
        printed(incident, auditor, row)
    with pytest.raises(NotFoundError):
        printed(incident, outsider, row)
    with pytest.raises(NotFoundError):
        envelope_list(incident_id=incident.pk, run_number=1, actor=actor_for(outsider))
    assert not Code.objects.exists()
