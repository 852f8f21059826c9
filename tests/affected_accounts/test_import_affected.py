"""manage.py import_affected, against lists of the generator whose meaning is known."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.directory.models import Account, DirectoryImport
from runbooks.incidents.models import Incident
from runbooks.timeline.verify import verify_chain
from tests.directory.institution import load, make_institution
from tests.factories import make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db


def run(capsys: pytest.CaptureFixture[str], incident: Incident, file: Path, *options: str) -> str:
    call_command("import_affected", incident.reference, str(file), *options)
    return capsys.readouterr().out


def comparable(means: dict[str, Any]) -> dict[str, Any]:
    """The order of unmatched lines is the file's own."""
    return {**means, "unmatched": sorted(means["unmatched"])}


@given(seed=st.integers(0, 10_000), accounts=st.integers(40, 250), affected=st.integers(5, 25), ldif=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_dry_run_says_what_a_careful_person_makes_of_the_list(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    incident: Incident,
    seed: int,
    accounts: int,
    affected: int,
    ldif: bool,
) -> None:
    Account.objects.all().delete()
    DirectoryImport.objects.all().delete()
    made = make_institution(tmp_path_factory.mktemp("d"), seed=seed, accounts=accounts, affected=affected)
    source = made.ldif if ldif else made.csv
    load(source.read_bytes(), name=source.name)
    said = json.loads(run(capsys, incident, made.affected, "--dry-run", "--json"))
    assert said["matched"] == sorted(said["matched"])
    assert comparable(said) == comparable(made.truth)
    assert not AffectedAccount.objects.exists()
    assert not AffectedImport.objects.exists()


def test_loading_a_list_of_ninety_into_nine_thousand_accounts_and_loading_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], incident: Incident
) -> None:
    made = make_institution(tmp_path, accounts=9000, affected=90)
    load(made.csv.read_bytes(), name="entra-users.csv")
    said = run(capsys, incident, made.affected)
    assert "90 accounts added, 0 lines settled, 4 lines kept as unresolved." in said
    logins = AffectedAccount.objects.filter(incident=incident).values_list("login", flat=True)
    assert sorted(logins) == made.truth["matched"]
    kept = set(UnresolvedLine.objects.values_list("text", flat=True))
    assert kept == {*made.truth["unmatched"], *made.truth["ambiguous"]}
    verdict = verify_chain(incident.pk)
    assert verdict.broken_at is None
    assert "Nothing was changed" in run(capsys, incident, made.affected)
    assert verify_chain(incident.pk).entries == verdict.entries
    assert comparable(json.loads(run(capsys, incident, made.affected, "--json"))) == comparable(made.truth)


def test_accounts_that_are_there_already_still_count_as_matched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], incident: Incident
) -> None:
    account = make_account(match_keys=["a:ann@parliament.example"], login="ann@parliament.example")
    make_affected(incident, account)
    file = tmp_path / "list.txt"
    file.write_text("ann@parliament.example\n")
    assert json.loads(run(capsys, incident, file, "--dry-run", "--json"))["matched"] == ["ann@parliament.example"]
    assert "1 account matched, 1 of them in the incident already" in run(capsys, incident, file, "--dry-run")


def test_a_missing_file_an_unknown_incident_and_an_empty_list_are_said_plainly(
    tmp_path: Path, incident: Incident
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"\n")
    with pytest.raises(CommandError, match=r"Cannot read .*No such file"):
        call_command("import_affected", incident.reference, str(tmp_path / "missing.txt"))
    with pytest.raises(CommandError, match="no incident IR-1999-0001"):
        call_command("import_affected", "IR-1999-0001", str(empty))
    with pytest.raises(CommandError, match="The list is empty"):
        call_command("import_affected", incident.reference, str(empty))


def test_a_list_goes_into_the_incident_that_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], incident: Incident
) -> None:
    other = make_incident()
    make_account(match_keys=["a:ann@parliament.example"], login="ann@parliament.example")
    file = tmp_path / "list.txt"
    file.write_text("ann@parliament.example\n")
    run(capsys, other, file)
    assert AffectedAccount.objects.get().incident == other
