"""A directory that goes away, and one that is not who it says it is."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import Action, ConnectorError, Outcome
from runbooks.connectors.ldap.session import Session
from tests.connectors import conftest
from tests.connectors.slapd import Slapd, dn_of
from tests.connectors.stages import refs


@pytest.mark.slapd
def test_a_server_that_goes_away_in_a_batch_leaves_an_answer_for_every_account(
    slapd: Slapd, directory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = slapd.logins()[:5]
    modify, sent = Session.modify, []

    def modify_and_lose(self: Session, dn: str, changes: Any) -> Any:
        sent.append(dn)
        if len(sent) == 3:
            slapd.stop()
        return modify(self, dn, changes)

    monkeypatch.setattr(Session, "modify", modify_and_lose)
    results = directory.act(Action.LOCK_ACCOUNT, refs(*logins), "k1")
    monkeypatch.undo()
    assert [result.outcome for result in results] == [Outcome.OK] * 2 + [Outcome.FAILED] * 3
    assert results[2].message.startswith("Not known whether it was done")
    assert results[3].message.startswith("Not tried")
    assert all(not result.permanent and result.retry_after for result in results[2:])
    assert sent == [dn_of(login) for login in logins[:3]]

    slapd.start()
    again = directory.act(Action.LOCK_ACCOUNT, refs(*logins), "k1")
    assert [result.outcome for result in again] == [Outcome.ALREADY] * 2 + [Outcome.OK] * 3


@pytest.mark.slapd
def test_a_server_that_goes_away_while_the_group_is_changed_leaves_all_of_the_batch_open(
    slapd: Slapd, directory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    modify = Session.modify

    def lose_and_modify(self: Session, dn: str, changes: Any) -> Any:
        slapd.stop()
        return modify(self, dn, changes)

    monkeypatch.setattr(Session, "modify", lose_and_modify)
    results = directory.act(Action.RESTRICT_REMOTE_ACCESS, refs(*slapd.logins()[:3]), "k1")
    assert {result.outcome for result in results} == {Outcome.FAILED}
    assert all(not result.permanent and "Not known" in result.message for result in results)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Signed by itself, for localhost."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    alternative = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([*command, *alternative, *files], check=True, capture_output=True)
    return tmp_path / "certificate.pem"


@pytest.mark.slapd
def test_tls_is_verified_against_the_named_authority_and_the_name_asked_for(
    stopped_slapd: Slapd, connection_of: Any, certificate: Path
) -> None:
    stopped_slapd.start(tls=True)
    login = stopped_slapd.logins()[0]
    by_name = f"ldap://localhost:{stopped_slapd.port}"

    def reads(**options: Any) -> bool:
        connection_of(stopped_slapd, **{"start_tls": True, **options})
        connector = configured("directory")
        try:
            return bool(connector.read(refs(login))[0].facts)
        finally:
            connector.close()

    assert reads(url=by_name, ca_file=str(certificate))
    assert reads(url=stopped_slapd.secure_url, start_tls=False, ca_file=str(certificate))
    with pytest.raises(ConnectorError, match="self-signed certificate"):
        reads(url=stopped_slapd.secure_url, start_tls=False)
    with pytest.raises(ConnectorError, match="self-signed certificate"):
        reads(url=by_name)
    with pytest.raises(ConnectorError, match=r"not valid for '127\.0\.0\.1'"):
        reads(ca_file=str(certificate))
    with pytest.raises(ConnectorError, match=r"ca_file /no/such.pem cannot be read") as unread:
        reads(ca_file="/no/such.pem")
    assert unread.value.permanent


def test_without_slapd_one_line_says_what_was_skipped_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    config, items, lines = without_slapd(monkeypatch), [Item(asks=True), Item(asks=False)], []
    conftest.pytest_collection_modifyitems(config, items)
    conftest.pytest_terminal_summary(Reporter(lines), config)
    assert [item.asks for item in items] == [False]
    assert lines == ["1 directory tests were skipped: no slapd was found; get it with: apt-get install slapd"]


def test_without_slapd_that_is_required_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    config = without_slapd(monkeypatch)
    monkeypatch.setenv("REQUIRE_SLAPD", "1")
    with pytest.raises(pytest.UsageError, match="REQUIRE_SLAPD=1, but no slapd was found"):
        conftest.pytest_collection_modifyitems(config, [Item(asks=True)])


class Item:
    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def get_closest_marker(self, name: str) -> bool | None:
        return self.asks or None


class Reporter:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write_line(self, line: str, **colour: bool) -> None:
        self._lines.append(line)


def without_slapd(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The part of pytest's configuration that the hooks use, on a machine without slapd."""
    monkeypatch.setattr(conftest.server, "find_slapd", lambda: None)
    monkeypatch.delenv("REQUIRE_SLAPD", raising=False)
    hook = type("Hook", (), {"pytest_deselected": lambda self, items: None})()
    return type("Config", (), {"stash": pytest.Stash(), "hook": hook})()
