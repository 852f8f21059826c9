"""What check_connector finds out about a Microsoft Entra tenant."""

from typing import Any

import pytest

from runbooks.connectors.base import Finding, Severity
from tests.connectors.entra import ANNA, by_group, by_policy
from tests.connectors.graph import Graph
from tests.connectors.graph_tenant import Fault, Reply, denied


def of(found: list[Finding], severity: Severity) -> list[str]:
    return [finding.what for finding in found if finding.severity is severity]


def errors(found: list[Finding]) -> list[str]:
    assert all(finding.mend for finding in found if finding.severity is not Severity.FINE)
    return of(found, Severity.ERROR)


def warnings(found: list[Finding]) -> list[str]:
    return of(found, Severity.WARNING)


def test_a_tenant_with_a_group_set_up_as_it_should_be_has_nothing_to_mend(graph: Graph, cloud: Any) -> None:
    found = cloud(**by_group(graph)).self_test()
    assert (errors(found), warnings(found)) == ([], [])
    said = of(found, Severity.FINE)
    assert "The application has User.EnableDisableAccount.All." in said
    assert f"3 members of the group {graph.tenant.group_id}, which has remote access." in said
    assert not graph.writes()


def test_a_tenant_with_a_policy_set_up_as_it_should_be_has_nothing_to_mend(graph: Graph, cloud: Any) -> None:
    graph.tenant.set_policy(includeUsers=[graph.tenant.id_of(ANNA)])
    found = cloud(**by_policy(graph)).self_test()
    assert (errors(found), warnings(found)) == ([], [])
    assert "Accounts the policy restricts: 1." in of(found, Severity.FINE)
    assert "The policy excludes 2 break-glass accounts." in of(found, Severity.FINE)
    assert not graph.writes()


@pytest.mark.parametrize(
    "role",
    [
        "User.Read.All",
        "User.EnableDisableAccount.All",
        "User.RevokeSessions.All",
        "User-PasswordProfile.ReadWrite.All",
        "GroupMember.ReadWrite.All",
    ],
)
def test_a_missing_permission_is_an_error_that_names_it(graph: Graph, cloud: Any, role: str) -> None:
    graph.tenant.roles -= {role}
    assert f"The application lacks the permission {role}." in errors(cloud(**by_group(graph)).self_test())


def test_permissions_are_asked_for_as_far_as_they_are_needed(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles = {"User.Read.All", "User.EnableDisableAccount.All", "User.RevokeSessions.All"}
    assert errors(cloud(password_change=False).self_test()) == []


def test_a_permission_that_does_more_is_taken_and_warned_of(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles -= {"User.EnableDisableAccount.All"}
    graph.tenant.roles |= {"User.ReadWrite.All"}
    found = cloud(**by_group(graph)).self_test()
    assert errors(found) == []
    assert warnings(found) == ["The application has User.ReadWrite.All, more than the portal needs."]


def test_a_wrong_secret_is_the_only_error(graph: Graph, cloud: Any) -> None:
    connector = cloud(**by_group(graph))
    graph.tenant.secret = "changed over there"
    (error,) = errors(connector.self_test())
    assert "AADSTS7000215" in error


def test_a_tenant_that_cannot_be_reached_is_the_only_error(graph: Graph, cloud: Any) -> None:
    (error,) = errors(cloud(base_url="http://127.0.0.1:9/v1.0", authority="http://127.0.0.1:9").self_test())
    assert "does not answer" in error


def test_without_a_group_or_policy_it_says_that_remote_access_is_not_offered(graph: Graph, cloud: Any) -> None:
    assert warnings(cloud().self_test()) == ["Nothing stands for remote access, which cannot be restricted."]


def test_a_group_that_is_not_there_is_an_error(graph: Graph, cloud: Any) -> None:
    (error,) = errors(cloud(group="11111111-2222-4333-8444-555555555555").self_test())
    assert error.startswith("The group 11111111-2222-4333-8444-555555555555 cannot be read (404")


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"groupTypes": ["DynamicMembership"]}, "filled by a rule"),
        ({"onPremisesSyncEnabled": True}, "from a directory on premises"),
        ({"isAssignableToRole": True}, "roles are assigned to"),
    ],
)
def test_a_group_the_portal_could_not_change_is_an_error(
    graph: Graph, cloud: Any, properties: dict[str, Any], said: str
) -> None:
    reply = Reply(200, {"id": graph.tenant.group_id, **properties})
    graph.tenant.faults.append(Fault("GET", f"/groups/{graph.tenant.group_id}", reply))
    (error,) = errors(cloud(**by_group(graph)).self_test())
    assert said in error


def test_a_group_inside_the_group_is_a_warning(graph: Graph, cloud: Any) -> None:
    graph.tenant.nested = ["99999999-2222-4333-8444-555555555555"]
    (warning,) = warnings(cloud(**by_group(graph)).self_test())
    assert "contains the group 99999999-2222-4333-8444-555555555555" in warning


def test_a_policy_without_its_exclusions_is_an_error(graph: Graph, cloud: Any) -> None:
    graph.tenant.set_policy(excludeUsers=[])
    (error,) = errors(cloud(**by_policy(graph)).self_test())
    assert ", ".join(sorted(graph.tenant.break_glass)) in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "disabled"}, "The policy is disabled: restricting has no effect."),
        ({"grantControls": {"builtInControls": ["mfa"]}}, "The policy does not block access."),
        ({"grantControls": None}, "The policy does not block access."),
    ],
)
def test_a_policy_that_would_not_keep_anybody_out_is_an_error(
    graph: Graph, cloud: Any, change: dict[str, Any], said: str
) -> None:
    graph.tenant.policy.write({**graph.tenant.policy.true, **change}, graph.tenant.clock())
    assert errors(cloud(**by_policy(graph)).self_test()) == [said]


def test_a_policy_for_everyone_is_an_error_and_one_by_groups_a_warning(graph: Graph, cloud: Any) -> None:
    graph.tenant.set_policy(includeUsers=["All"], excludeGroups=["99999999-2222-4333-8444-555555555555"])
    found = cloud(**by_policy(graph)).self_test()
    assert errors(found) == ["The policy restricts everyone: nobody can be given access back."]
    assert warnings(found) == ["The policy names groups or roles: whom they restrict or free is not read back."]


def test_a_policy_that_excludes_no_place_is_a_warning(graph: Graph, cloud: Any) -> None:
    policy = graph.tenant.policy.true
    policy["conditions"]["locations"] = None
    graph.tenant.policy.write(policy, graph.tenant.clock())
    assert warnings(cloud(**by_policy(graph)).self_test()) == [
        "The policy excludes no place: people on site are kept out as well."
    ]


def test_every_check_is_made_though_one_is_refused(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("GET", "/members", denied()))
    found = cloud(**by_group(graph)).self_test()
    assert "Accounts of the tenant can be read." in of(found, Severity.FINE)
    assert errors(found) == [
        "Microsoft Graph refused a list (403 Authorization_RequestDenied: "
        "Insufficient privileges to complete the operation)."
    ]
