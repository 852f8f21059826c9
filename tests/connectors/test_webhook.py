"""What a receiver may answer, and what the portal makes of it."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import AccountRef, Action, ActionResult, ConnectorError, Fact, Outcome, Severity
from runbooks.connectors.options import MisconfiguredError
from runbooks.connectors.webhook.messages import check_signature
from tests.connectors.receiver import SECRET, Receiver
from tests.connectors.served import HANG_UP, Said
from tests.connectors.slapd import free_port
from tests.connectors.stages import refs

TWO = [AccountRef("anna.berg", "e-1", "anna@parliament.example"), AccountRef("olaf.stein")]


def results(receiver: Receiver, hook_of: Any, said: Said) -> list[ActionResult]:
    receiver.answer = lambda asked: said
    return hook_of().act(Action.LOCK_ACCOUNT, TWO, "k1")  # type: ignore[no-any-return]


def entry(login: str = "anna.berg", **said: Any) -> dict[str, Any]:
    return {"login": login, "outcome": "ok", **said}


# What is sent


def test_the_request_says_what_to_do_for_whom_and_where_to_answer(hook_of: Any, receiver: Receiver) -> None:
    hook_of().act(Action.LOCK_ACCOUNT, TWO, "k1")
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", "/accounts")
    assert asked.content == {
        "id": "k1",
        "action": "lock_account",
        "connection": "hook",
        "accounts": [
            {"login": "anna.berg", "external_id": "e-1", "mail": "anna@parliament.example"},
            {"login": "olaf.stein", "external_id": "", "mail": ""},
        ],
        "answer_url": "https://portal.example/connectors/hook/answers/",
    }


def test_the_request_is_signed_and_dated(hook_of: Any, receiver: Receiver) -> None:
    hook_of().act(Action.LOCK_ACCOUNT, TWO, "k1")
    (asked,) = receiver.asked
    check_signature(SECRET, dict(asked.headers), asked.body, datetime.now(UTC))
    assert asked.headers["X-IR-Portal-Signature"].startswith("v1=")
    assert SECRET not in str(asked)


def test_a_second_try_has_the_same_key_and_another_batch_another(hook_of: Any, receiver: Receiver) -> None:
    connector = hook_of()
    for accounts in (TWO, TWO, TWO[:1]):
        connector.act(Action.LOCK_ACCOUNT, accounts, "k1")
    first, second, other = (asked.headers["Idempotency-Key"] for asked in receiver.asked)
    assert first == second != other


def test_before_values_go_with_the_accounts_they_are_of(hook_of: Any, receiver: Receiver) -> None:
    kept = {"anna.berg": {"locked": ["false"]}, "somebody.else": {"locked": ["true"]}}
    done, lacking = hook_of().act(Action.UNLOCK_ACCOUNT, TWO, "k1", kept)
    assert done.outcome is Outcome.ALREADY
    assert "before-values" in lacking.message
    (asked,) = receiver.asked
    assert asked.content["values"] == {"anna.berg": {"locked": ["false"]}}
    assert [account["login"] for account in asked.content["accounts"]] == ["anna.berg"]


# What is answered


def test_each_account_has_the_outcome_it_was_given(hook_of: Any, receiver: Receiver) -> None:
    answered = [
        {"login": "olaf.stein", "outcome": "failed", "message": "Not  in\x00 AD.\nAsk.", "permanent": True},
        entry(outcome="already", before={"locked": ["true"]}, message="Was so."),
    ]
    anna, olaf = results(receiver, hook_of, Said(content={"results": answered}))
    assert anna == ActionResult(TWO[0], Outcome.ALREADY, {"locked": ["true"]}, "Was so.")
    assert (olaf.outcome, olaf.permanent) == (Outcome.FAILED, True)
    assert olaf.message == "Not  in  AD. Ask."


def test_an_account_that_failed_for_now_has_a_time_to_wait(hook_of: Any, receiver: Receiver) -> None:
    answered = [entry(outcome="failed", retry_after=7), entry("olaf.stein", outcome="failed", retry_after=1e9)]
    anna, olaf = results(receiver, hook_of, Said(content={"results": answered}))
    assert (anna.permanent, anna.retry_after) == (False, 7)
    assert olaf.retry_after == 3600
    assert olaf.message == "No reason was given."


def test_an_account_nothing_was_said_of_has_failed_and_is_tried_again(hook_of: Any, receiver: Receiver) -> None:
    anna, olaf = results(receiver, hook_of, Said(content={"results": [entry()]}))
    assert anna.outcome is Outcome.OK
    assert (olaf.outcome, olaf.permanent) == (Outcome.FAILED, False)
    assert "nothing was answered" in olaf.message


def test_what_is_promised_is_pending(hook_of: Any, receiver: Receiver) -> None:
    answers = results(receiver, hook_of, Said(202))
    assert {answer.outcome for answer in answers} == {Outcome.PENDING}
    assert "answers later" in answers[0].message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_the_receiver_refuses_is_refused_for_good_with_its_reason(
    hook_of: Any, receiver: Receiver, status: int
) -> None:
    with pytest.raises(ConnectorError, match=rf"refuses the request \({status}\): no such playbook\.") as refused:
        results(receiver, hook_of, Said(status, {"message": "no such playbook."}))
    assert refused.value.permanent


@pytest.mark.parametrize(("status", "header", "seconds"), [(429, "17", 17), (503, "2", 2), (429, "", 5), (503, "x", 5)])
def test_what_the_receiver_puts_off_is_tried_again_when_it_says(
    hook_of: Any, receiver: Receiver, status: int, header: str, seconds: float
) -> None:
    with pytest.raises(ConnectorError, match="asks to come later") as later:
        results(receiver, hook_of, Said(status, headers={"Retry-After": header} if header else {}))
    assert (later.value.permanent, later.value.retry_after) == (False, seconds)


@pytest.mark.parametrize("said", [Said(500, b"oops"), Said(502), HANG_UP])
def test_what_was_lost_is_not_known_and_tried_again(hook_of: Any, receiver: Receiver, said: Said) -> None:
    answers = results(receiver, hook_of, said)
    assert [answer.account for answer in answers] == TWO
    assert all(answer.outcome is Outcome.FAILED and not answer.permanent for answer in answers)
    assert all(answer.message.startswith("Not known whether it was done: ") for answer in answers)
    assert all(answer.retry_after for answer in answers)


def test_a_receiver_that_is_not_there_did_nothing(hook_of: Any) -> None:
    with pytest.raises(ConnectorError, match="Connection refused") as silent:
        hook_of(url=f"http://127.0.0.1:{free_port()}/").act(Action.LOCK_ACCOUNT, TWO, "k1")
    assert not silent.value.permanent


def test_a_redirect_is_not_followed(hook_of: Any, receiver: Receiver) -> None:
    with pytest.raises(ConnectorError, match="redirect"):
        results(receiver, hook_of, Said(307, headers={"Location": "http://169.254.169.254/"}))
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        *(Said(content=content) for content in (None, [], {}, {"results": {}}, {"results": ["anna.berg"]})),
        *(Said(content={"results": [entry(**wrong)]}) for wrong in ({"outcome": "done"}, {"outcome": ["ok"]})),
        *(Said(content={"results": [entry(login)]}) for login in ("", "somebody.else", 7, "anna\x00berg")),
        *(Said(content={"results": [entry(before=before)]}) for before in ([], {"a": "b"}, {"a": [1]}, {"a": ["\0"]})),
        *(
            Said(content={"results": [entry(outcome="failed", **wrong)]})
            for wrong in ({"permanent": "yes"}, {"retry_after": "soon"}, {"retry_after": -1}, {"retry_after": True})
        ),
        Said(content=b'{"results": [{"login": "anna.berg", "outcome": "failed", "retry_after": NaN}]}'),
        Said(content={"results": [entry(), entry()]}),
        Said(201, {"results": []}),
        Said(204),
    ],
)
def test_an_answer_of_another_shape_leaves_every_account_not_known(
    hook_of: Any, receiver: Receiver, said: Said
) -> None:
    answers = results(receiver, hook_of, said)
    assert [answer.account for answer in answers] == TWO
    assert all(answer.outcome is Outcome.FAILED and answer.permanent for answer in answers)
    assert all("is not understood" in answer.message and "Not known" in answer.message for answer in answers)


# Reading


def read(receiver: Receiver, hook_of: Any, said: Said, **options: Any) -> Any:
    receiver.answer = lambda asked: said
    return hook_of(**options).read(TWO)


def test_facts_are_read_with_their_source(hook_of: Any, receiver: Receiver) -> None:
    told = {"locked": True, "password_changed_at": "2017-06-23T20:00:00Z", "sessions_ended_at": None}
    entries = [entry(facts=told, values={"locked": ["true"]}), entry("olaf.stein", outcome="failed", message="Who?")]
    anna, olaf = read(receiver, hook_of, Said(content={"results": entries}))
    assert {fact: reading.value for fact, reading in anna.facts.items()} == {
        Fact.LOCKED: True,
        Fact.PASSWORD_CHANGED_AT: datetime(2017, 6, 23, 20, 0, tzinfo=UTC),
        Fact.SESSIONS_ENDED_AT: None,
    }
    assert anna.facts[Fact.LOCKED].source == "hook: 127.0.0.1"
    assert anna.values == {"locked": ["true"]}
    assert olaf.problem == "Who?"


def test_what_cannot_be_told_has_a_reason(hook_of: Any, receiver: Receiver) -> None:
    anna, olaf = read(receiver, hook_of, Said(content={"results": [entry()]}))
    assert anna.problem == "127.0.0.1 told no fact about it."
    assert olaf.problem == "127.0.0.1 said nothing about it."


@pytest.mark.parametrize(
    "facts",
    [
        *([], {"shoe_size": True}, {"locked": "true"}, {"locked": 1}, {"password_changed_at": True}),
        *(
            {"password_changed_at": "2017-06-23T20:00:00"},
            {"password_changed_at": "soon"},
            {"password_changed_at": "0001-01-01T00:00:00+14:00"},
            {"remote_access": True},
        ),
    ],
)
def test_a_fact_of_another_kind_is_an_error_that_names_it(hook_of: Any, receiver: Receiver, facts: Any) -> None:
    offered = ["locked", "password_changed_at"]
    with pytest.raises(ConnectorError, match=r"not understood: .*(facts|fact|must be)") as wrong:
        read(receiver, hook_of, Said(content={"results": [entry(facts=facts)]}), facts=offered)
    assert wrong.value.permanent


def test_a_read_cannot_be_answered_later(hook_of: Any, receiver: Receiver) -> None:
    with pytest.raises(ConnectorError, match="answered at once"):
        read(receiver, hook_of, Said(202))


def test_many_are_read_in_batches(hook_of: Any, receiver: Receiver) -> None:
    logins = [f"person.{number}" for number in range(7)]
    states = hook_of(batch_size=3).read(refs(*logins))
    assert [state.account.login for state in states] == logins
    assert [len(asked.content["accounts"]) for asked in receiver.asked] == [3, 3, 1]
    assert len({asked.content["id"] for asked in receiver.asked}) == 3


def test_a_receiver_that_does_not_read_is_not_asked_to(hook_of: Any, receiver: Receiver) -> None:
    connector = hook_of(reads=False)
    assert Action.READ_STATE not in connector.capabilities.actions
    assert connector.capabilities.facts == frozenset()
    assert [state.problem for state in connector.read(TWO)] == ["hook does not read accounts."] * 2
    assert receiver.asked == []


# Settings


def test_it_offers_what_the_settings_say(hook_of: Any) -> None:
    options = {"actions": ["lock_account", "end_sessions"], "batch_size": 7, "rate_per_second": 3, "lag_seconds": 60}
    capabilities = hook_of(**options).capabilities
    assert capabilities.actions == {Action.LOCK_ACCOUNT, Action.END_SESSIONS, Action.READ_STATE}
    assert capabilities.undone_by == {}
    assert (capabilities.batch_size, capabilities.rate_per_second, capabilities.lag_seconds) == (7, 3, 60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://hook.example/"}, "not encrypted"),
        ({"url": "hook.example"}, "no address"),
        ({"url": "https://[::1"}, "must read https://"),
        ({"url": "https://xn--a/"}, "must read https://"),
        ({"url": "https://portal:sesame@hook.example/"}, "holds a password"),
        ({"actions": []}, "actions"),
        ({"actions": ["explode"]}, "lock_account"),
        ({"actions": "lock_account"}, "actions"),
        ({"actions": [["lock_account"]]}, "actions"),
        ({"actions": ["read_state"]}, "actions"),
        ({"facts": ["shoe_size"]}, "facts"),
        ({"batch_size": 0}, "batch_size"),
        ({"reads": "yes"}, "reads"),
        ({"secret": SECRET}, "CONNECTION_HOOK_SECRET_FILE"),
        ({"shoe_size": 44}, "nobody reads"),
    ],
)
def test_nonsense_in_the_settings_is_refused_by_name(hook_of: Any, options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(MisconfiguredError, match=words) as refused:
        hook_of(**options)
    assert "sesame" not in str(refused.value)


def test_a_short_secret_is_refused(hook_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTION_HOOK_SECRET", "s" * 31)
    with pytest.raises(MisconfiguredError, match="32 characters"):
        hook_of()


def test_the_portals_own_networks_are_not_called_unless_they_are_named(hook_of: Any, settings: Any) -> None:
    hook_of()
    settings.OUTBOUND_PRIVATE_NETWORKS = []
    with pytest.raises(ConnectorError, match="OUTBOUND_PRIVATE_NETWORKS") as refused:
        configured("hook").act(Action.LOCK_ACCOUNT, TWO, "k1")
    assert refused.value.permanent


# Self-test


def test_a_receiver_that_checks_signatures_passes(hook_of: Any) -> None:
    assert {finding.severity for finding in hook_of().self_test()} == {Severity.FINE}


def test_a_receiver_that_takes_any_signature_is_found_out(hook_of: Any, receiver: Receiver) -> None:
    receiver.is_careless = True
    findings = hook_of().self_test()
    assert [finding.severity for finding in findings] == [Severity.FINE, Severity.ERROR]
    assert "signature does not hold" in findings[1].what


@pytest.mark.parametrize("said", [Said(404), Said(202), Said(500), Said(content={}), HANG_UP, Said(429)])
def test_a_receiver_that_does_not_answer_the_check_is_told_how(hook_of: Any, receiver: Receiver, said: Said) -> None:
    receiver.answer = lambda asked: said
    (finding,) = hook_of().self_test()
    assert finding.severity is Severity.ERROR
    assert "check" in finding.mend


def test_nothing_read_back_is_worth_a_warning(hook_of: Any) -> None:
    findings = hook_of(reads=False).self_test()
    assert findings[-1].severity is Severity.WARNING


def test_neither_secret_nor_names_are_logged(
    hook_of: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connector = hook_of()
    connector.act(Action.LOCK_ACCOUNT, TWO, "k1")
    connector.read(TWO)
    assert SECRET not in caplog.text
    assert "anna.berg" not in caplog.text


def test_the_receiver_of_the_documentation_knows_the_portal_from_others(hook_of: Any, receiver: Receiver) -> None:
    hook_of().act(Action.LOCK_ACCOUNT, TWO, "k1")
    (asked,) = receiver.asked
    text = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace('open("/run/secrets/portal", "rb").read().strip()', repr(SECRET.encode())), names)
    assert names["is_from_the_portal"](asked.headers, asked.body)
    assert not names["is_from_the_portal"](asked.headers, asked.body + b" ")
