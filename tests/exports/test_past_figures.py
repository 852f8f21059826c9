"""Past figures: counted anew from entries they are what the overview showed then, and entries say what moved them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.ledger import Settled
from runbooks.actions.operations.saying import say
from runbooks.actions.queries.restriction import restriction_of
from runbooks.affected_accounts.models import AffectedAccount, State, StateChange, Tier
from runbooks.affected_accounts.operations.add_accounts import add_accounts
from runbooks.affected_accounts.operations.change_state import change_state
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.affected_accounts.operations.set_tier import set_tier
from runbooks.affected_accounts.queries import GroupCounts, group_counts
from runbooks.containment.models import Step
from runbooks.containment.operations.adding import NewStep, add_step
from runbooks.containment.operations.working import complete, reopen, waive
from runbooks.exports.queries.past import FIGURES, PAGE, last_at, moves_of, past_of
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.models import TimelineEvent
from tests.exports.exporting import redact
from tests.factories import make_account, make_action, make_entry, make_incident, make_step, make_user

pytestmark = pytest.mark.django_db
START = datetime(2026, 6, 23, 9, 0, tzinfo=UTC)
BACK_AND_FORTH = [State.SUSPECTED, State.TARGETED, State.FALSE_POSITIVE, State.CONTAINED, State.COMPROMISED]


@dataclass(frozen=True)
class Shown:
    """What the overview and the tabs said at a moment."""

    at: datetime
    sequence: int
    groups: GroupCounts
    steps: int
    closed: int
    restricted: int


@pytest.fixture
def incident(db: None) -> Incident:
    return make_incident(declared_at=START)


def shown(incident: Incident, at: datetime) -> Shown:
    incident.refresh_from_db()
    steps = Step.objects.filter(incident=incident)
    restriction = restriction_of(incident.pk)
    return Shown(
        at,
        incident.head_sequence,
        group_counts(incident.pk),
        steps.count(),
        steps.filter(status__in=Step.CLOSED).count(),
        restriction.said if restriction else 0,
    )


def add(incident: Incident, count: int, at: datetime, tier: str = "A") -> list[int]:
    accounts = [make_account().pk for _ in range(count)]
    added = add_accounts(
        incident_id=incident.pk, account_ids=accounts, tier=tier, source="list.txt", actor=COMMAND_LINE, at=at
    )
    return [row.pk for row in added.rows]


def contain(incident: Incident, ids: list[int], at: datetime) -> None:
    facts = ("sign_in_disabled", "sessions_revoked", "password_changed", "rules_checked")
    AffectedAccount.objects.filter(pk__in=ids).update(**{f"{fact}_at": at for fact in facts})
    change_state(incident_id=incident.pk, account_ids=ids, after=State.CONTAINED, actor=COMMAND_LINE, at=at)


def restrict(incident: Incident, kind: str, ids: list[int], at: datetime) -> None:
    """As a worker leaves it: rows done, and an entry for each account."""
    rows = list(AffectedAccount.objects.filter(pk__in=ids))
    action = make_action(incident, *rows, kind=kind, started_at=at, status=Action.Status.DRAFT)
    ActionAccount.objects.filter(action=action).update(status="done", answered_at=at)
    settled = [Settled(row, ActionAccount.Status.DONE) for row in action.accounts.all()]
    say(lock(incident.pk), action, settled, at)


def play(incident: Incident, seed: int) -> list[Shown]:
    """A story by chance, in which everything goes back and forth; what was shown after each turn."""
    chance, at, history = random.Random(seed), START, []
    steps = [make_step(incident).key for _ in range(5)]
    ids = add(incident, 6, at)
    history.append(shown(incident, at))
    for _ in range(45):
        at += timedelta(seconds=chance.randint(1, 900))
        some = chance.sample(ids, chance.randint(1, min(4, len(ids))))
        turn(incident, chance, at, ids, some, steps)
        history.append(shown(incident, at))
    return history


def turn(
    incident: Incident, chance: random.Random, at: datetime, ids: list[int], some: list[int], steps: list[str]
) -> None:
    where = {"incident_id": incident.pk, "actor": COMMAND_LINE, "at": at}
    what = chance.randrange(8)
    try:
        if what == 0:
            ids += add(incident, chance.randint(1, 3), at, chance.choice(["", *Tier.values]))
        elif what == 1:
            set_tier(account_ids=some, tier=chance.choice(Tier.values), reason="Looked again", **where)
        elif what == 2:
            contain(incident, some, at)
        elif what == 3:
            change_state(account_ids=some, after=chance.choice(BACK_AND_FORTH), reason="Seen again", **where)
        elif what == 4:
            kind = chance.choice(["restrict_remote_access", "restore_remote_access"])
            restrict(incident, kind, some, at)
        elif what == 5:
            added = NewStep(title=f"Step {at:%d %H%M%S}", after=steps[0], role="lead")
            steps.append(add_step(step=added, **where).key)
        else:
            key = chance.choice(steps)
            is_closed = Step.objects.get(incident=incident, key=key).is_closed
            operation = reopen if is_closed else chance.choice([complete, waive])
            operation(key=key, reason="It had to be", **where)
    except CannotChangeAccountsError:
        make_entry(incident, "It could not be", at=at)


@pytest.mark.parametrize("seed", [3, 17, 2017])
def test_past_figures_are_what_the_overview_showed_then(incident: Incident, seed: int) -> None:
    history = play(incident, seed)
    assert len({one.groups for one in history}) > 8
    assert max(one.restricted for one in history) > 0
    for then in history:
        sequence = last_at(incident, then.at)
        past = past_of(incident, sequence, at=then.at)
        counted = Shown(then.at, sequence, past.groups, past.steps, past.steps_closed, past.restricted)
        assert counted == then
        assert past.agrees


def test_the_present_is_what_the_overview_shows(incident: Incident) -> None:
    play(incident, 5)
    incident.refresh_from_db()
    past = past_of(incident, incident.head_sequence)
    assert past.groups == group_counts(incident.pk)
    assert past.rows is not None
    assert past.agrees


def test_between_two_entries_nothing_changes_and_before_the_first_there_is_nothing(incident: Incident) -> None:
    add(incident, 2, START)
    make_entry(incident, "Later", at=START + timedelta(hours=1))
    incident.refresh_from_db()
    last = incident.head_sequence
    assert last_at(incident, START - timedelta(microseconds=1)) == 0
    assert last_at(incident, START) == last_at(incident, START + timedelta(minutes=59)) == last - 1
    assert last_at(incident, START + timedelta(hours=1)) == last
    nothing = past_of(incident, 0, at=START - timedelta(hours=1))
    assert (nothing.groups.total, nothing.steps_closed, nothing.recorded_at) == (0, 0, None)


def test_an_entry_that_waited_for_one_recorded_later_counts_with_that_one(incident: Incident) -> None:
    """Two web servers whose clocks differ: nobody saw the second entry before the first."""
    make_entry(incident, "Clock ahead", at=START + timedelta(minutes=2))
    make_entry(incident, "Clock behind", at=START)
    incident.refresh_from_db()
    assert last_at(incident, START + timedelta(minutes=1)) == 0
    assert last_at(incident, START + timedelta(minutes=2)) == 2


@pytest.mark.parametrize("figure", FIGURES)
def test_what_moved_a_figure_adds_up_to_it(incident: Incident, figure: str) -> None:
    for then in play(incident, 8)[::5]:
        past = past_of(incident, then.sequence)
        moves = moves_of(incident.pk, then.sequence, figure)
        assert sum(move.came - move.went for move in moves) == past.figure(figure)
        if moves:
            assert moves[0].stood == past.figure(figure)


def test_accounts_changed_in_one_go_are_one_line(incident: Incident) -> None:
    ids = add(incident, 4, START)
    contain(incident, ids[:3], START + timedelta(hours=1))
    incident.refresh_from_db()
    newest, *older = moves_of(incident.pk, incident.head_sequence, "contained")
    assert (newest.came, newest.went, newest.stood) == (3, 0, 3)
    assert newest.last - newest.first == 3
    assert newest.summary == "3 accounts are now “Contained”, were “Confirmed”"
    assert older == []


def test_what_moved_a_figure_is_paged_without_a_gap(incident: Incident) -> None:
    (one,) = add(incident, 1, START)
    for number in range(PAGE):
        tier, reason = (Tier.D, "Not so") if number % 2 == 0 else (Tier.A, "")
        at = START + timedelta(minutes=number + 1)
        set_tier(incident_id=incident.pk, account_ids=[one], tier=tier, reason=reason, actor=COMMAND_LINE, at=at)
    incident.refresh_from_db()
    first = moves_of(incident.pk, incident.head_sequence, "compromised")
    assert len(first) == PAGE + 1
    rest = moves_of(incident.pk, incident.head_sequence, "compromised", before=first[PAGE - 1].first)
    assert [move.first for move in first[:PAGE] + rest] == list(range(incident.head_sequence, 0, -1))


def test_a_redacted_entry_counts_by_its_row_and_that_is_said(incident: Incident) -> None:
    ids = add(incident, 2, START)
    contain(incident, ids[:1], START + timedelta(hours=1))
    event = TimelineEvent.objects.get(incident=incident, kind="account.state_changed")
    before = past_of(incident, event.sequence).groups
    redact(incident, event, make_user(), make_user())
    past = past_of(incident, event.sequence)
    assert past.groups == before
    assert past.taken_out == 1
    assert moves_of(incident.pk, event.sequence, "contained")[0].is_taken_out


def test_a_row_changed_by_hand_does_not_agree(incident: Incident) -> None:
    ids = add(incident, 3, START)
    contain(incident, ids[:1], START + timedelta(hours=1))
    AffectedAccount.objects.filter(pk=ids[1]).update(state=State.CONTAINED)
    incident.refresh_from_db()
    past = past_of(incident, incident.head_sequence)
    assert past.groups.contained == 1
    assert not past.agrees


def test_a_history_written_by_hand_does_not_agree(incident: Incident) -> None:
    ids = add(incident, 2, START)
    StateChange.objects.create(
        incident=incident, affected_account_id=ids[0], before="compromised", after="contained", changed_by="Nobody",
        at=START + timedelta(minutes=5),
    )  # fmt: skip
    make_entry(incident, "Later", at=START + timedelta(hours=1))
    at = START + timedelta(minutes=10)
    assert not past_of(incident, last_at(incident, at), at=at).agrees


# The page


@pytest.fixture
def story(incident: Incident, auditor: User) -> Incident:
    """At 11:40 in London one of three was contained; the quoting entry says so."""
    incident.memberships.create(user=auditor, added_by="a test", added_at=START)
    ids = add(incident, 3, START)
    contain(incident, ids[:1], START + timedelta(hours=1))
    make_entry(incident, "At 11:05 it was 1 of 3 contained, 14 networks blocked", at=START + timedelta(minutes=65))
    contain(incident, ids[1:2], START + timedelta(hours=1, minutes=40))
    incident.refresh_from_db()
    return incident


def read(client: Client, incident: Incident, **query: str) -> str:
    response = client.get(reverse("past_figures", args=[incident.reference]), query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_counts_to_the_end_of_the_minute_by_the_clock_of_the_incident(
    story: Incident, auditor: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(auditor)
    assert "2 of 3 compromised accounts contained" in read(client, story)
    assert "1 of 3 compromised accounts contained" in read(client, story, at="2026-06-23T11:39")
    assert "2 of 3 compromised accounts contained" in read(client, story, at="2026-06-23T11:40")
    assert "0 of 3 compromised accounts contained" in read(client, story, at="2026-06-23 10:59:59")
    assert "rows say the same" in read(client, story, at="2026-06-23T11:39")


def test_the_page_compares_what_an_entry_quotes_with_the_figures_before_it(
    story: Incident, auditor: User, client_of: Callable[[User], Client]
) -> None:
    quoting = story.events.get(kind="entry.added").sequence
    page = " ".join(read(client_of(auditor), story, entry=f"#{quoting}").split())
    assert f"Just before entry #{quoting}" in page
    assert "1 of 3 compromised accounts contained" in page
    rows = page.partition("Numbers it quotes")[2].partition("</table>")[0]
    assert [cell.partition("</td>")[0] for cell in rows.split('<td class="num">')[1:]] == ["1", "3", "14"]
    assert "Contained or further" in rows.partition(">3<")[0]
    assert "Compromised" in rows.partition(">3<")[2].partition(">14<")[0]
    assert "none: it may count something else" in rows.partition(">14<")[2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"at": "yesterday"}, "That is no moment"),
        ({"at": "2026-02-31T10:00"}, "That is no moment"),
        ({"at": "2999-01-01T10:00"}, "still to come"),
        ({"entry": "0"}, "There is no such entry"),
        ({"entry": "999"}, "There is no such entry"),
        ({"entry": "9" * 30}, "There is no such entry"),
        ({"entry": "' OR 1=1"}, "There is no such entry"),
        ({"figure": "nothing", "before": "x"}, "Contained or further"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_figures_of_now(
    story: Incident, auditor: User, client_of: Callable[[User], Client], query: dict[str, str], said: str
) -> None:
    page = read(client_of(auditor), story, **query)
    assert said in page
    assert "2 of 3 compromised accounts contained" in page


def test_outsiders_find_nothing(story: Incident, outsider: User, client_of: Callable[[User], Client]) -> None:
    for name in ("audit", "decisions", "past_figures"):
        assert client_of(outsider).get(reverse(name, args=[story.reference])).status_code == 404


def test_the_page_makes_the_same_queries_however_many_accounts_moved(
    story: Incident, coordinator: User, client_of: Callable[[User], Client]
) -> None:
    story.memberships.create(user=coordinator, added_by="a test", added_at=START)
    client = client_of(coordinator)

    def queries() -> int:
        read(client, story)
        with CaptureQueriesContext(connection) as captured:
            read(client, story, at="2026-06-23T11:40")
        return len(captured)

    few = queries()
    for turn_ in range(12):
        contain(story, add(story, 5, START + timedelta(hours=3, minutes=turn_)), START + timedelta(hours=4))
    assert queries() == few
