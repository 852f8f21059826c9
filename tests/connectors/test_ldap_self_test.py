"""What check_connector finds out about a real OpenLDAP server."""

from typing import Any

import pytest
from django.core.management import call_command

from runbooks.connectors import configured
from runbooks.connectors.base import Finding, Severity
from tests.connectors.slapd import GROUP, PASSWORD, POLICY, SUFFIX, Slapd, dn_of

pytestmark = pytest.mark.slapd


@pytest.fixture
def findings(connection_of: Any) -> Any:
    def examine(slapd: Slapd, **options: Any) -> list[Finding]:
        connection_of(slapd, **{"canary": slapd.logins()[0], **options})
        connector = configured("directory")
        found: list[Finding] = connector.self_test()
        connector.close()
        return found

    return examine


def errors(found: list[Finding]) -> list[str]:
    return [finding.what for finding in found if finding.severity is Severity.ERROR]


def warnings(found: list[Finding]) -> list[str]:
    return [finding.what for finding in found if finding.severity is Severity.WARNING]


def test_a_server_set_up_as_it_should_be_has_nothing_to_mend(slapd: Slapd, findings: Any) -> None:
    found = findings(slapd)
    assert (errors(found), warnings(found)) == ([], [])
    said = [finding.what for finding in found]
    assert f"9,000 accounts can be read under {SUFFIX}." in said
    assert f"9,000 members of {GROUP} have remote access." in said
    assert "The portal may write pwdAccountLockedTime." in said


def test_the_self_test_changes_nothing(slapd: Slapd, findings: Any) -> None:
    canary, outside = slapd.logins()[:2]
    slapd.change(dn_of(canary), pwdAccountLockedTime=["20170623190000Z"], pwdReset=["TRUE"])
    slapd.leave_group(outside)
    before = set(slapd.values(GROUP, "member"))
    for login in (canary, outside):
        findings(slapd, canary=login)
    assert set(slapd.values(GROUP, "member")) == before
    assert slapd.values(dn_of(canary), "pwdAccountLockedTime") == ["20170623190000Z"]
    assert slapd.values(dn_of(canary), "pwdReset") == ["TRUE"]


def test_a_policy_that_does_not_lock_is_an_error(slapd: Slapd, findings: Any) -> None:
    slapd.change(POLICY, pwdLockout=["FALSE"])
    assert errors(findings(slapd)) == [f"The policy {POLICY} has pwdLockout FALSE: locking has no effect."]


def test_a_policy_that_does_not_force_a_change_is_a_warning(slapd: Slapd, findings: Any) -> None:
    slapd.change(POLICY, pwdMustChange=["FALSE"])
    assert warnings(findings(slapd)) == [
        f"The policy {POLICY} has pwdMustChange FALSE: requiring a new password has no effect."
    ]


def test_a_server_without_the_overlay_is_an_error(stopped_slapd: Slapd, findings: Any) -> None:
    stopped_slapd.start(ppolicy=False)
    assert errors(findings(stopped_slapd)) == [
        "No password policy answered when the portal signed in: locking has no effect."
    ]


def test_a_policy_that_is_not_there_is_an_error(slapd: Slapd, findings: Any) -> None:
    assert errors(findings(slapd, policy=f"cn=gone,{SUFFIX}")) == [f"There is no policy cn=gone,{SUFFIX}."]


def test_a_missing_right_is_an_error_for_what_lacks_it(stopped_slapd: Slapd, findings: Any) -> None:
    stopped_slapd.start(right="read")
    assert [what.split(" (")[0] for what in errors(findings(stopped_slapd))] == [
        "The portal may not write pwdAccountLockedTime",
        "The portal may not write pwdReset",
    ]


def test_a_size_limit_that_hides_accounts_is_an_error(stopped_slapd: Slapd, findings: Any) -> None:
    stopped_slapd.start(size="500")
    found = findings(stopped_slapd)
    assert "sizeLimitExceeded" in errors(found)[0]
    assert "Raise the size limit" in errors(found)[0]


def test_a_group_that_is_not_there_is_an_error(slapd: Slapd, findings: Any) -> None:
    assert f"There is no group cn=gone,{SUFFIX}." in errors(findings(slapd, group=f"cn=gone,{SUFFIX}"))


def test_a_group_inside_the_group_is_a_warning(slapd: Slapd, findings: Any) -> None:
    inner = f"cn=committees,ou=groups,{SUFFIX}"
    slapd.add(inner, ["groupOfNames"], cn="committees", member=[dn_of(slapd.logins()[0])])
    slapd.change(GROUP, member=[inner.replace(",", ", ").upper(), dn_of(slapd.logins()[1])])
    (warning,) = warnings(findings(slapd))
    assert warning == f"{GROUP} contains the group {inner}, whose members keep remote access."


def test_without_a_canary_it_says_that_writing_was_not_tried(slapd: Slapd, findings: Any) -> None:
    assert warnings(findings(slapd, canary="")) == ["Whether the portal may write was not tried."]


def test_a_canary_that_is_not_there_is_an_error(slapd: Slapd, findings: Any) -> None:
    assert errors(findings(slapd, canary="no.body"))[0].startswith("The canary no.body was not found")


def test_a_server_that_does_not_answer_is_one_error(stopped_slapd: Slapd, findings: Any) -> None:
    (error,) = errors(findings(stopped_slapd))
    assert error.startswith("The directory at 127.0.0.1 does not answer")


def test_the_command_prints_the_mend_and_exits_with_one(
    slapd: Slapd, connection_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    slapd.change(POLICY, pwdLockout=["FALSE"])
    connection_of(slapd)
    with pytest.raises(SystemExit) as ended:
        call_command("check_connector", "directory")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert f"error    The policy {POLICY} has pwdLockout FALSE: locking has no effect." in said
    assert "         Mend: Set pwdLockout to TRUE." in said
    assert PASSWORD not in said
