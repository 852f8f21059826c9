"""manage.py export: the same export as the page makes, and its file."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from runbooks.exports.models import Export, SigningKey
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.exports.bundles import verified
from tests.factories import make_entry

pytestmark = pytest.mark.django_db


def test_it_writes_the_file_and_says_its_hash(
    incident: Incident, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_entry(incident, "needle")
    make_entry(incident, "straw")
    out = tmp_path / "out.json"
    call_command("export", incident.reference, "json", out=str(out), filter="?q=needle", purpose="The court")
    read = json.loads(out.read_bytes())
    assert [entry["summary"] for entry in read["entries"]] == ["needle"]
    assert (read["about"]["left_out"], read["about"]["purpose"]) == (1, "The court")
    said = capsys.readouterr().err
    assert hashlib.sha256(out.read_bytes()).hexdigest() in said
    assert said.startswith("EX-01: 1 entry, 1 left out")


def test_it_is_a_row_and_entries_like_any_other(incident: Incident, tmp_path: Path) -> None:
    call_command("export", incident.reference, "csv", out=str(tmp_path / "x.csv"), no_bom=True)
    export = Export.objects.get(incident=incident)
    assert (export.requested_by, export.requester, export.status) == ("Command line", None, "ready")
    kinds = TimelineEvent.objects.filter(incident=incident).values_list("kind", flat=True)
    assert list(kinds.order_by("sequence"))[-2:] == ["export.requested", "export.made"]
    assert (tmp_path / "x.csv").read_bytes().startswith(b"sequence,")


def test_a_bundle_verifies(incident: Incident, key: SigningKey, tmp_path: Path) -> None:
    make_entry(incident)
    out = tmp_path / "bundle.zip"
    call_command("export", incident.reference, "bundle", out=str(out))
    assert verified(out.read_bytes()).faults == []


def test_a_file_that_is_there_stays_and_nothing_is_exported(incident: Incident, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    out.write_text("mine")
    with pytest.raises(CommandError, match="is not overwritten"):
        call_command("export", incident.reference, "csv", out=str(out))
    assert out.read_text() == "mine"
    assert not Export.objects.exists()


def test_refusals_are_said(incident: Incident, tmp_path: Path) -> None:
    out = str(tmp_path / "x")
    with pytest.raises(CommandError, match="There is no incident"):
        call_command("export", "IR-1999-0001", "csv", out=out)
    with pytest.raises(CommandError, match="no step 9"):
        call_command("export", incident.reference, "csv", out=out, filter="step=9")
    with pytest.raises(CommandError, match="No signing key"):
        call_command("export", incident.reference, "bundle", out=out)
    with pytest.raises(CommandError, match="cannot be written: no such file"):
        call_command("export", incident.reference, "csv", out=str(tmp_path / "no" / "x"))
