"""The disclosure copy: nothing of other people is in it, the holder's is, and it still verifies."""

import io
import json
import re
import zipfile
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.attachments.models import CustodyEvent
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.exports.models import Export, SigningKey
from runbooks.exports.operations.disclosing import preview_disclosure
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.exports.bundles import verified
from tests.exports.exporting import content_of, exported
from tests.factories import make_account, make_affected, make_entry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signed(key: SigningKey) -> None:
    """With a key at hand."""


@pytest.fixture
def holder(incident: Incident) -> Any:
    return make_affected(incident, named("Ana", "Heronova", "+44 7700 900123"))


@pytest.fixture
def other(incident: Incident) -> Any:
    return make_affected(incident, named("Bill", "Storkson", "+44 7700 900456"))


def named(given: str, family: str, mobile: str) -> Any:
    login = f"{given}.{family}@parliament.example".lower()
    return make_account(
        login=login, mail=login, display_name=f"{family}, {given}", given_name=given, family_name=family, mobile=mobile
    )


def copy_of(incident: Incident, query: str = "") -> tuple[dict[str, str], Export]:
    export = exported(incident, "disclosure", query=query)
    assert export.status == Export.Status.READY, export.reason
    raw = content_of(export)
    assert verified(raw).faults == []
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}, export


def told(files: dict[str, str]) -> dict[int, dict[str, Any]]:
    return {line["sequence"]: line for line in map(json.loads, files["disclosed.jsonl"].splitlines())}


def whole(files: dict[str, str]) -> set[int]:
    lines = [json.loads(line) for line in files["chain.jsonl"].splitlines()]
    return {line["record"]["sequence"] for line in lines if "content" in line}


def test_others_are_pseudonyms_and_the_holder_is_not(incident: Incident, holder: Any, other: Any) -> None:
    mine = make_entry(incident, f"Sessions of {holder.login} ended", kind="fact.recorded", actor=PORTAL)
    theirs = make_entry(
        incident, f"Sessions of {other.login} ended", kind="fact.recorded", actor=PORTAL,
        details={"account": other.login, "name": "Storkson, Bill", "telephone": "07700 900 456"},
    )  # fmt: skip
    typed = make_entry(incident, "Mr STORKSON rang about his cat", kind="entry.added")
    nobody = make_entry(incident, "The gateway was closed", kind="entry.added")
    files, _ = copy_of(incident)
    # A regulator's copy: the holder is an other, too.
    assert told(files).keys() == {mine.sequence, theirs.sequence, typed.sequence}
    assert whole(files) >= {nobody.sequence}
    line = told(files)[theirs.sequence]
    name = line["details"]["account"]
    assert line["details"] == {"account": name, "name": name, "telephone": name}
    assert line["summary"] == f"Sessions of {name} ended"
    assert name not in told(files)[mine.sequence]["summary"]
    assert told(files)[typed.sequence] == {"sequence": typed.sequence, "as": "withheld", "kind": "entry.added"}
    everything = "\n".join(files.values()).lower()
    for secret in ("storkson", "heronova", "900456", "900 456", "mr "):
        assert secret not in everything
    assert "his cat" not in everything


def test_a_holders_copy_holds_their_own_in_full(incident: Incident, holder: Any, other: Any) -> None:
    about = {"account_ids": [holder.pk]}
    mine = make_entry(incident, "Ana Heronova rang, from 07700 900123", kind="entry.added", **about)
    both = make_entry(incident, f"{holder.login} and {other.login}", kind="action.finished", actor=PORTAL, **about)
    make_entry(incident, "Storkson alone", kind="entry.added", account_ids=[other.pk])
    files, export = copy_of(incident, f"account={holder.login}")
    assert whole(files) == {mine.sequence}
    assert told(files).keys() == {both.sequence}
    assert told(files)[both.sequence]["summary"].startswith(f"{holder.login} and account-")
    assert "storkson" not in "\n".join(files.values()).lower()
    manifest = json.loads(files["manifest.json"])
    assert manifest["disclosure"]["holder"] == holder.login
    assert manifest["disclosure"]["entries"] == {"whole": 1, "pseudonymised": 1, "withheld": 0}
    assert export.file_name.endswith(".disclosure.zip")
    assert not CustodyEvent.objects.exists()


def test_title_and_purpose_that_name_others_are_withheld(incident: Incident, holder: Any, other: Any) -> None:
    Incident.objects.filter(pk=incident.pk).update(title="The Storkson case")
    export = exported(incident, "disclosure", query=f"account={holder.login}", purpose="Asked by Bill Storkson")
    with zipfile.ZipFile(io.BytesIO(content_of(export))) as archive:
        manifest = archive.read("manifest.json").decode()
    assert "Storkson" not in manifest
    assert "withheld" in manifest


def test_two_copies_share_no_pseudonym(incident: Incident, other: Any) -> None:
    entry = make_entry(incident, f"Sessions of {other.login} ended", kind="fact.recorded", actor=PORTAL)
    first, second = (told(copy_of(incident)[0])[entry.sequence]["summary"] for _ in range(2))
    assert first != second


def test_half_a_login_that_is_several_makes_no_copy(incident: Incident, holder: Any) -> None:
    make_affected(incident, named("Ana", "Heronova-Smith", "+44 7700 900789"))
    export = exported(incident, "disclosure", query="account=ana.heronova")
    assert export.status == Export.Status.FAILED
    assert "whole login" in export.reason


def test_every_entry_of_the_chain_is_accounted_for(incident: Incident, holder: Any, other: Any) -> None:
    for n in range(30):
        make_entry(incident, f"Entry {n} about {(holder, other)[n % 2].login}", actor=PORTAL, kind="fact.recorded")
    files, _ = copy_of(incident)
    lines = files["chain.jsonl"].splitlines()
    assert len(whole(files)) + len(told(files)) == len(lines)
    assert TimelineEvent.objects.filter(incident=incident).count() > len(lines)


def test_the_preview_counts_and_shows_and_keeps_nothing(incident: Incident, holder: Any, other: Any) -> None:
    make_entry(incident, f"Sessions of {other.login} ended", kind="fact.recorded", actor=PORTAL)
    make_entry(incident, "Storkson rang", kind="entry.added")
    make_entry(incident, "The gateway was closed", kind="entry.added")
    before = TimelineEvent.objects.count()
    out = StringIO()
    call_command("preview_disclosure", incident.reference, stdout=out)
    said = out.getvalue()
    for line in (r"Whole +1\b", r"Pseudonymised +1\b", r"Withheld +1\b", r"Sessions of account-[0-9A-F]+ ended"):
        assert re.search(line, said), said
    assert "torkson" not in said
    call_command("preview_disclosure", incident.reference, "--filter", f"account={holder.login}", stdout=out)
    assert f"Copy for: {holder.login}" in out.getvalue()
    with pytest.raises(CommandError, match="No account"):
        call_command("preview_disclosure", incident.reference, "--filter", "account=nobody")
    assert TimelineEvent.objects.count() == before
    assert not Export.objects.exists()


def test_who_may_not_export_previews_nothing(incident: Incident, desk: User, outsider: User) -> None:
    for person, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            preview_disclosure(incident_id=incident.pk, query="", actor=actor_for(person), at=timezone.now())
