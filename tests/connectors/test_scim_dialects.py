"""SCIM servers that take only some of what the standard allows, throttle, and fail in the middle."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbooks.connectors.base import Action, ConnectorError, Fact, Outcome, Severity
from runbooks.connectors.scim.dialect import DIALECTS, Attribute
from tests.connectors.scim_fake import Narrow, Operation, refused
from tests.connectors.served import HANG_UP, Asked, Said, served
from tests.connectors.stages import refs

LOGINS = [f"person.{number}" for number in range(5)]


@pytest.fixture
def narrow() -> Narrow:
    return Narrow(*LOGINS)


@pytest.fixture
def scim(narrow: Narrow, scim_of: Any) -> Iterator[Callable[..., Any]]:
    with served(narrow) as url:
        yield lambda **options: scim_of(url, **options)


def lock(connector: Any, *logins: str) -> Any:
    return connector.act(Action.LOCK_ACCOUNT, refs(*(logins or LOGINS)), "k1")


def outcomes(results: Any) -> list[Outcome]:
    return [result.outcome for result in results]


# Dialects


@pytest.mark.parametrize(
    ("dialect", "operation"),
    [
        ("rfc7644", {"op": "replace", "path": "active", "value": False}),
        ("value_object", {"op": "replace", "value": {"active": False}}),
        ("capitalised", {"op": "Replace", "path": "active", "value": False}),
        ("text", {"op": "Replace", "path": "active", "value": "False"}),
    ],
)
def test_each_dialect_says_it_in_its_own_way(narrow: Narrow, scim: Any, dialect: str, operation: Operation) -> None:
    narrow.takes = lambda given: given == operation
    assert outcomes(lock(scim(dialect=dialect))) == [Outcome.OK] * 5
    assert set(narrow.active().values()) == {False}


def test_a_server_of_another_dialect_refuses_for_good_and_says_what_to_try(narrow: Narrow, scim: Any) -> None:
    narrow.takes = lambda given: given["op"][0].isupper()
    (result,) = lock(scim(), LOGINS[0])
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert result.message == "Refused (400): invalidSyntax. Another dialect may be needed."


def test_a_server_that_answers_well_and_changes_nothing_is_found_out(narrow: Narrow, scim: Any) -> None:
    narrow.fault = lambda asked: Said(200, narrow.users["id-person.0"]) if asked.method == "PATCH" else None
    (result,) = lock(scim(), LOGINS[0])
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert "active is still true. Try another dialect." in result.message


def test_an_extension_is_written_by_its_full_name_or_inside_its_object() -> None:
    attribute = Attribute("urn:example:2.0:User:remoteAccess")
    path = DIALECTS["rfc7644"].change(attribute, ["false"])["Operations"]
    assert path == [{"op": "replace", "path": attribute.path, "value": False}]
    inside = DIALECTS["value_object"].change(attribute, ["true"])["Operations"]
    assert inside == [{"op": "replace", "value": {"urn:example:2.0:User": {"remoteAccess": True}}}]
    whole = attribute.written({"schemas": ["core"], "urn:example:2.0:User": {"desk": 7}}, False)
    assert whole == {
        "schemas": ["core", "urn:example:2.0:User"],
        "urn:example:2.0:User": {"desk": 7, "remoteAccess": False},
    }
    assert attribute.raw(whole) == ["false"]
    assert attribute.raw({"schemas": ["core"]}) == []


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"put"}))
def test_no_dialect_removes_members_without_saying_which(dialect: str) -> None:
    operations = DIALECTS[dialect].members(["a", 'b"c'], add=False)["Operations"]
    assert [operation["path"] for operation in operations] == ['members[value eq "a"]', 'members[value eq "b\\"c"]']
    assert all("value" not in operation for operation in operations)


def test_a_value_that_was_not_there_is_taken_away_again(narrow: Narrow, scim: Any) -> None:
    del narrow.users["id-person.0"]["active"]
    connector = scim()
    (locked,) = lock(connector, LOGINS[0])
    assert locked.before == {"active": []}
    connector.act(Action.UNLOCK_ACCOUNT, refs(LOGINS[0]), "k2", {LOGINS[0]: {"active": []}})
    assert "active" not in narrow.users["id-person.0"]


def test_active_in_words_and_in_another_case_is_read(narrow: Narrow, scim: Any) -> None:
    for number, (name, value) in enumerate([("Active", "False"), ("active", "true"), ("ACTIVE", True)]):
        user = narrow.users[f"id-person.{number}"]
        del user["active"]
        user[name] = value
    states = scim().read(refs(*LOGINS[:3]))
    assert [state.facts[Fact.LOCKED].value for state in states] == [True, False, False]


@pytest.mark.parametrize("value", ["maybe", 1, [], {"x": True}])
def test_an_odd_user_is_a_problem_of_theirs_alone(narrow: Narrow, scim: Any, value: Any) -> None:
    narrow.users["id-person.0"]["active"] = value
    odd, well = lock(scim(), *LOGINS[:2])
    assert odd.message == "active is neither true nor false."
    assert (odd.permanent, well.outcome) == (True, Outcome.OK)


# Whole users


@pytest.mark.parametrize("options", [{"dialect": "put"}, {}])
def test_without_patch_the_user_is_written_whole_and_as_it_was(
    narrow: Narrow, scim: Any, options: dict[str, Any]
) -> None:
    narrow.support["patch"]["supported"] = bool(options)
    narrow.has_versions = True
    narrow.users["id-person.0"]["meta"] = {"resourceType": "User"}
    assert outcomes(lock(scim(**options), LOGINS[0])) == [Outcome.OK]
    (put,) = narrow.sent("PUT")
    assert put.content == {"id": "id-person.0", "userName": "person.0", "nickName": "N. person.0", "active": False}
    assert put.headers["If-Match"] == 'W/"0"'
    assert narrow.sent("PATCH") == []


def test_a_user_somebody_changed_meanwhile_is_read_again_and_written_once_more(narrow: Narrow, scim: Any) -> None:
    narrow.has_versions = True

    def meddle(asked: Asked) -> None:
        if asked.method == "PUT" and len(narrow.sent("PUT")) == 1:
            narrow.users["id-person.0"]["nickName"] = "New"
            narrow.versions["id-person.0"] = 7

    narrow.fault = meddle
    assert outcomes(lock(scim(dialect="put"), LOGINS[0])) == [Outcome.OK]
    assert narrow.users["id-person.0"]["nickName"] == "New"
    assert narrow.users["id-person.0"]["active"] is False


def test_a_user_somebody_changes_all_the_time_is_tried_later(narrow: Narrow, scim: Any) -> None:
    narrow.fault = lambda asked: refused(412, "changed") if asked.method == "PUT" else None
    (result,) = lock(scim(dialect="put"), LOGINS[0])
    assert (result.outcome, result.permanent) == (Outcome.FAILED, False)
    assert result.retry_after
    assert len(narrow.sent("PUT")) == 2


def test_a_group_that_hides_its_members_is_not_emptied_by_writing_it_whole(narrow: Narrow, scim: Any) -> None:
    members = [{"value": f"id-{login}"} for login in LOGINS]
    narrow.groups["g"] = {"id": "g", "displayName": "Remote"}
    narrow.fault = lambda asked: (
        Said(200, {"id": "g", "members": members})
        if asked.method == "GET" and asked.path.startswith("/Groups/g?attributes=members")
        else None
    )
    results = scim(dialect="put", group="g").act(Action.RESTRICT_REMOTE_ACCESS, refs(*LOGINS[:2]), "k1")
    assert outcomes(results) == [Outcome.OK] * 2
    assert narrow.groups["g"] == {"id": "g", "displayName": "Remote", "members": members[2:]}


# Groups


@pytest.fixture
def remote(narrow: Narrow) -> Narrow:
    narrow.groups["g"] = {"id": "g", "members": [{"value": f"id-{login}"} for login in LOGINS[:3]]}
    return narrow


def members(narrow: Narrow) -> list[str]:
    return [one["value"].removeprefix("id-person.") for one in narrow.groups["g"]["members"]]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_members_leave_and_return_in_one_request_each(remote: Narrow, scim: Any, dialect: str) -> None:
    connector = scim(group="g", dialect=dialect)
    connector.act(Action.RESTRICT_REMOTE_ACCESS, refs(*LOGINS), "k1")
    assert members(remote) == []
    kept = {login: {"g": ["x"] if number < 3 else []} for number, login in enumerate(LOGINS)}
    connector.act(Action.RESTORE_REMOTE_ACCESS, refs(*LOGINS), "k2", kept)
    assert members(remote) == ["0", "1", "2"]
    assert len(remote.sent("PATCH") + remote.sent("PUT")) == 2


def test_members_refused_together_go_one_by_one(remote: Narrow, scim: Any) -> None:
    def refuse(asked: Asked) -> Said | None:
        if asked.method != "PATCH":
            return None
        return refused(400, "noTarget") if len(asked.content["Operations"]) > 1 or b"person.1" in asked.body else None

    remote.fault = refuse
    results = scim(group="g").act(Action.RESTRICT_REMOTE_ACCESS, refs(*LOGINS[:3]), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert members(remote) == ["1"]


@pytest.mark.parametrize("said", [Said(500), HANG_UP])
def test_a_group_lost_in_the_middle_is_not_known(remote: Narrow, scim: Any, said: Said) -> None:
    remote.fault = lambda asked: said if asked.method == "PATCH" else None
    results = scim(group="g").act(Action.RESTRICT_REMOTE_ACCESS, refs(*LOGINS), "k1")
    assert outcomes(results) == [Outcome.FAILED] * 3 + [Outcome.ALREADY] * 2
    assert all("Not known" in result.message and not result.permanent for result in results[:3])


def test_half_of_a_way_back_that_is_put_off_is_not_told_as_nothing_done(remote: Narrow, scim: Any) -> None:
    """Some are put back in, some out: two requests, of which the second is throttled."""
    remote.fault = lambda asked: Said(429) if asked.method == "PATCH" and len(remote.sent("PATCH")) == 2 else None
    kept = {login: {"g": [] if number < 3 else ["x"]} for number, login in enumerate(LOGINS)}
    results = scim(group="g").act(Action.RESTORE_REMOTE_ACCESS, refs(*LOGINS), "k1", kept)
    assert outcomes(results) == [Outcome.FAILED] * 3 + [Outcome.OK] * 2
    assert all(result.message.startswith("Not tried") and result.retry_after for result in results[:3])


def test_a_group_inside_the_group_is_told(remote: Narrow, scim: Any) -> None:
    remote.groups["g"]["members"].append({"value": "g2", "type": "Group"})
    warnings = [finding.what for finding in scim(group="g").self_test() if finding.severity is Severity.WARNING]
    assert any("contains the group g2" in what for what in warnings)


# Finding


def test_a_server_that_knows_no_or_is_asked_for_each(narrow: Narrow, scim: Any) -> None:
    narrow.fault = lambda asked: refused(400, "invalidFilter") if asked.path.count("person") > 1 else None
    assert [state.problem for state in scim().read(refs(*LOGINS))] == [""] * 5
    assert len(narrow.sent("GET")) == 1 + 1 + 5


def test_a_server_without_its_own_description_is_taken_for_a_plain_one(narrow: Narrow, scim: Any) -> None:
    narrow.fault = lambda asked: refused(404) if asked.path == "/ServiceProviderConfig" else None
    assert outcomes(lock(scim())) == [Outcome.OK] * 5
    assert len(narrow.sent("PATCH")) == 5


def test_a_server_without_filters_must_be_asked_by_id(narrow: Narrow, scim: Any) -> None:
    narrow.support["filter"]["supported"] = False
    with pytest.raises(ConnectorError, match="Set find_by to id"):
        scim().read(refs("person.0"))
    assert any("find_by" in finding.mend for finding in scim().self_test())


def test_two_users_of_one_name_are_a_problem(narrow: Narrow, scim: Any) -> None:
    narrow.users["twin"] = {"id": "twin", "userName": "person.0", "active": True}
    (result,) = lock(scim(), "person.0")
    assert result.message == "2 users have the userName person.0."
    assert narrow.active()["person.0"] is True


@pytest.mark.parametrize(
    "said",
    [
        Said(200, b"<html>Sign in</html>"),
        *(Said(200, content) for content in (None, [], {"totalResults": "5"}, {"totalResults": 1, "Resources": "x"})),
        *(Said(200, {"totalResults": 1, "Resources": [user]}) for user in ("x", {}, {"id": 7}, {"id": "a\x00"})),
        Said(302, headers={"Location": "https://idp.example/sign-in"}),
    ],
)
def test_what_is_no_scim_is_told_and_nothing_is_changed(narrow: Narrow, scim: Any, said: Said) -> None:
    narrow.fault = lambda asked: said if asked.path.startswith("/Users?") else None
    with pytest.raises(ConnectorError, match=r"not understood|not JSON|redirect"):
        lock(scim())
    assert set(narrow.active().values()) == {True}


# Self-test


def test_a_canary_in_the_wrong_dialect_is_found_out_before_it_matters(narrow: Narrow, scim: Any) -> None:
    narrow.takes = lambda given: isinstance(given["value"], str)
    wrong = scim(canary="person.0").self_test()[-1]
    assert wrong.severity is Severity.ERROR
    assert "dialect" in wrong.mend
    right = scim(canary="person.0", dialect="text").self_test()[-1]
    assert right.severity is Severity.FINE
    assert narrow.active()["person.0"] is True


def test_a_canary_without_the_attribute_is_not_written(narrow: Narrow, scim: Any) -> None:
    del narrow.users["id-person.0"]["active"]
    assert "not tried" in scim(canary="person.0").self_test()[-1].what
    assert narrow.sent("PATCH") == []


def test_writing_whole_is_worth_a_warning(narrow: Narrow, scim: Any) -> None:
    narrow.support["patch"]["supported"] = False
    warnings = [finding for finding in scim().self_test() if finding.severity is Severity.WARNING]
    assert "(PUT)" in warnings[0].what


@pytest.mark.parametrize("said", [Said(500), HANG_UP, Said(429), refused(401), refused(403), Said(200, [])])
def test_the_self_test_never_raises(narrow: Narrow, scim: Any, said: Said) -> None:
    narrow.fault = lambda asked: said
    findings = scim(canary="person.0", group="g").self_test()
    assert findings[0].severity is Severity.ERROR
