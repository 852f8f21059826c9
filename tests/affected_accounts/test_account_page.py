"""The table's query: every row once, in order, whichever way the pages are turned."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State
from runbooks.affected_accounts.queries.page import (
    PAGE,
    SORTS,
    AccountFilter,
    AccountPage,
    account_page,
    filter_counts,
    selected_ids,
)
from runbooks.affected_accounts.transitions import RANKS
from runbooks.incidents.models import Incident
from tests.affected_accounts.many import affected_of, holding
from tests.factories import make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db


def pages(incident: Incident, wanted: AccountFilter, sort: str) -> Iterator[AccountPage]:
    page = account_page(incident.pk, wanted, sort=sort)
    yield page
    while page.after:
        page = account_page(incident.pk, wanted, sort=sort, after=page.after)
        yield page


@pytest.mark.parametrize("sort", list(SORTS))
def test_turning_the_pages_shows_every_row_once_in_order_and_back_again(incident: Incident, sort: str) -> None:
    for state, size in ((State.COMPROMISED, 70), (State.SUSPECTED, 60), (State.WATCHED, 23)):
        affected_of(incident, size, state=state)
    AffectedAccount.objects.filter(login__endswith="5@parliament.example").update(
        changed_at=incident.declared_at + timedelta(hours=1)
    )
    expected = list(AffectedAccount.objects.order_by(*SORTS[sort]).values_list("id", flat=True))
    forward = list(pages(incident, AccountFilter(), sort))
    assert [row.id for page in forward for row in page.rows] == expected
    assert [len(page.rows) for page in forward] == [PAGE, PAGE, PAGE, 3]
    page, backward = forward[-1], [forward[-1]]
    while page.before:
        page = account_page(incident.pk, AccountFilter(), sort=sort, before=page.before)
        backward.append(page)
    assert [[row.id for row in page.rows] for page in reversed(backward)] == [
        [row.id for row in page.rows] for page in forward
    ]


def test_work_left_comes_first(incident: Incident) -> None:
    for state in (State.WATCHED, State.FALSE_POSITIVE, State.COMPROMISED, State.CONTAINED, State.SUSPECTED):
        make_affected(incident, state=state, rank=RANKS[state], tier="A" if state == State.COMPROMISED else "")
    states = [row.state for row in account_page(incident.pk, AccountFilter()).rows]
    assert states == [State.COMPROMISED, State.SUSPECTED, State.CONTAINED, State.WATCHED, State.FALSE_POSITIVE]


@pytest.mark.parametrize("cursor", ["x", "%%%", "bnVsbA", "WyJhIiwgImIiXQ", "W10", "WzEsIDIsIDNd", "é"])
def test_a_cursor_that_is_not_ours_shows_the_first_page(incident: Incident, cursor: str) -> None:
    make_affected(incident)
    for sort in SORTS:
        assert len(account_page(incident.pk, AccountFilter(), sort=sort, after=cursor).rows) == 1
        assert len(account_page(incident.pk, AccountFilter(), sort=sort, before=cursor).rows) == 1


def test_each_filter_lets_through_what_it_says(incident: Incident, desk: User) -> None:
    at = incident.declared_at
    clerk = make_affected(
        incident,
        make_account(login="clerk-7@parliament.example", display_name="Ford, Ann", department="Committee office"),
        state=State.CONTAINED,
        tier="B",
        owner=desk,
        contact_attempts=2,
        **holding(FactKind.SIGN_IN_DISABLED, at=at),
    )
    member = make_affected(incident, state=State.COMPROMISED, tier="A")
    targeted = make_affected(incident, state=State.TARGETED, tier="C")
    restored = make_affected(incident, state=State.RESTORED_RESTRICTED, tier="A", **holding(*FactKind, at=at))
    AffectedAccount.objects.filter(pk=restored.pk).update(sign_in_disabled_at=None)
    expected = {
        AccountFilter(q="clerk ford"): {clerk},
        AccountFilter(q="COMMITTEE"): {clerk},
        AccountFilter(q="100%_\\"): set(),
        AccountFilter(group="compromised"): {clerk, member, restored},
        AccountFilter(group="cleared"): {targeted},
        AccountFilter(group="restored"): {restored},
        AccountFilter(state="contained"): {clerk},
        AccountFilter(missing="sign_in_disabled"): {member},
        AccountFilter(missing="rules_checked"): {clerk, member},
        AccountFilter(contact="never"): {member},
        AccountFilter(contact="no_answer"): {clerk},
        AccountFilter(contact="reached"): {restored},
        AccountFilter(owner=str(desk.pk)): {clerk},
        AccountFilter(owner="nobody"): {member, targeted, restored},
        AccountFilter(tier="A", group="compromised"): {member, restored},
        AccountFilter(): {clerk, member, targeted, restored},
    }
    for wanted, rows in expected.items():
        ids = {row.pk for row in rows}
        assert {row.id for row in account_page(incident.pk, wanted).rows} == ids, wanted
        assert set(selected_ids(incident.pk, wanted)) == ids, wanted
        assert filter_counts(incident.pk, wanted).total == len(ids), wanted


def test_a_filter_survives_its_own_link_and_drops_what_is_no_choice() -> None:
    wanted = AccountFilter(q="a b", group="compromised", missing="mfa_bound", owner="nobody", tier="A")
    assert AccountFilter.read(wanted.parameters()) == wanted
    nonsense = {"group": "x", "state": "x", "missing": "x", "contact": "x", "tier": "x", "owner": "-1", "ready": "x"}
    assert AccountFilter.read(nonsense) == AccountFilter()
    assert not AccountFilter.read({"q": " \0 "}).narrows


def test_facts_are_counted_for_the_filter(incident: Incident) -> None:
    at = incident.declared_at
    affected_of(incident, 3, state=State.COMPROMISED, **holding(FactKind.RULES_CHECKED, at=at))
    affected_of(incident, 2, state=State.SUSPECTED, **holding(FactKind.RULES_CHECKED, at=at))
    counts = filter_counts(incident.pk, AccountFilter(group="compromised"))
    assert (counts.total, counts.facts[FactKind.RULES_CHECKED], counts.facts[FactKind.MFA_BOUND]) == (3, 3, 0)


def test_queries_do_not_grow_with_rows(coordinator: User) -> None:
    counted = []
    for size in (10, 9000):
        incident = make_incident(lead=coordinator)
        affected_of(incident, size, stem=f"of{size}")
        with CaptureQueriesContext(connection) as queries:
            page = account_page(incident.pk, AccountFilter())
            filter_counts(incident.pk, AccountFilter())
        assert len(page.rows) == min(size, PAGE)
        counted.append(len(queries))
    assert counted == [2, 2]
