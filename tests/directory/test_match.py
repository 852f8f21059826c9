from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.directory.models import Account
from runbooks.directory.queries import Match, MatchStatus, match, match_many
from tests.directory.institution import Institution, load, make_institution

pytestmark = pytest.mark.django_db

HEADER = "login,mail,display name,given name,family name,alternate mail\n"


def of(found: Match) -> str:
    assert found.status is MatchStatus.MATCHED
    assert found.account is not None
    return found.account.login


def as_truth(lines: list[str]) -> dict[str, object]:
    """What the list means, in the words of the generator's truth.json."""
    matches = match_many(lines)
    matched = [of(one) for one in matches if one.status is MatchStatus.MATCHED]
    return {
        "matched": sorted(set(matched)),
        "unmatched": sorted(one.text for one in matches if one.status is MatchStatus.UNMATCHED),
        "ambiguous": {
            one.text: [account.login for account in one.candidates]
            for one in matches
            if one.status is MatchStatus.AMBIGUOUS
        },
        "repeats": len(matched) - len(set(matched)),
    }


def truth_of(made: Institution) -> dict[str, object]:
    return {**made.truth, "unmatched": sorted(made.truth["unmatched"])}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), accounts=st.integers(40, 400), affected=st.integers(5, 25))
def test_any_list_means_what_a_careful_person_makes_of_it(
    tmp_path: Path, seed: int, accounts: int, affected: int
) -> None:
    made = make_institution(tmp_path, seed=seed, accounts=accounts, affected=affected)
    Account.objects.all().delete()
    load(made.csv.read_bytes())
    assert as_truth(made.lines) == truth_of(made)


def test_the_list_of_the_night_means_what_a_careful_person_makes_of_it(tmp_path: Path) -> None:
    made = make_institution(tmp_path, accounts=9000, affected=90)
    load(made.csv.read_bytes())
    assert len(made.truth["matched"]) == 90
    assert as_truth(made.lines) == truth_of(made)


def test_a_login_wins_over_the_name_of_another() -> None:
    load(HEADER + "zoe@b.example,,Somebody,,,\nother@b.example,,zoe@b.example,,,\n")
    assert of(match("zoe@b.example")) == "zoe@b.example"


def test_a_bare_login_that_two_domains_have_is_ambiguous() -> None:
    load(HEADER + "zoe@a.example,,,,,\nzoe@b.example,,,,,\n")
    found = match("PARL\\zoe")
    assert found.status is MatchStatus.AMBIGUOUS
    assert [account.login for account in found.candidates] == ["zoe@a.example", "zoe@b.example"]
    assert found.account is None
    assert of(match("zoe@b.example")) == "zoe@b.example"


def test_a_name_as_it_is_written_wins_over_the_other_order() -> None:
    load(HEADER + "a@b.example,,Kim Lee,Kim,Lee,\nb@b.example,,Lee Kim,Lee,Kim,\n")
    assert of(match("Kim Lee")) == "a@b.example"
    assert of(match("Lee Kim")) == "b@b.example"


def test_a_name_that_reads_both_ways_is_ambiguous() -> None:
    load(HEADER + 'a@b.example,,"Lee, Kim",Kim,Lee,\nb@b.example,,"Kim, Lee",Lee,Kim,\n')
    assert match("Kim Lee").status is MatchStatus.AMBIGUOUS
    assert of(match("Lee, Kim")) == "a@b.example"


def test_two_people_of_one_name_are_ambiguous() -> None:
    load(HEADER + 'a@b.example,,"Smith, Jane",Jane,Smith,\nb@b.example,,"Smith, Jane",Jane,Smith,\n')
    for line in ("Smith, Jane", "jane smith", "Jane Smith;"):
        assert [account.login for account in match(line).candidates] == ["a@b.example", "b@b.example"]


def test_an_address_with_the_name_of_another_is_ambiguous() -> None:
    load(HEADER + 'a@b.example,,"Smith, Jane",,,\nb@b.example,,"Jones, Tom",,,\n')
    found = match('"Jones, Tom" <a@b.example>')
    assert [account.login for account in found.candidates] == ["a@b.example", "b@b.example"]
    assert of(match('"Smith, Jane" <a@b.example>')) == "a@b.example"
    assert of(match('"Jane of the Library" <a@b.example>')) == "a@b.example"


def test_an_address_of_nobody_is_not_saved_by_the_name_beside_it() -> None:
    load(HEADER + 'a@b.example,,"Smith, Jane",,,\n')
    found = match('"Smith, Jane" <jane@attacker.example>')
    assert found.status is MatchStatus.UNMATCHED
    assert [account.login for account in found.nearest] == ["a@b.example"]


def test_two_addresses_in_one_line_are_ambiguous() -> None:
    load(HEADER + "a@b.example,,,,,\nb@b.example,,,,,\n")
    assert match("a@b.example; b@b.example").status is MatchStatus.AMBIGUOUS
    assert of(match("a@b.example (was x@old.example)")) == "a@b.example"


def test_an_alternate_address_finds_its_account_after_all_logins() -> None:
    load(HEADER + "a@b.example,,,,,zoe@home.example\nzoe@home.example,,,,,\n")
    assert of(match("zoe@home.example")) == "zoe@home.example"
    load(HEADER + "a@b.example,,,,,zoe@home.example\n", allow_gone=True)
    Account.objects.filter(login="zoe@home.example").delete()
    assert of(match("Zoe@Home.example")) == "a@b.example"


def test_a_near_miss_is_never_a_match_but_is_offered() -> None:
    load(HEADER + 'jane.smith@b.example,,"Smith, Jane",,,\ntom@b.example,,"Jones, Tom",,,\n')
    for line in ("jane.smyth@b.example", "Smiht, Jane", "Jane Smithe", "PARL\\jane.smit"):
        found = match(line)
        assert found.status is MatchStatus.UNMATCHED
        assert [account.login for account in found.nearest] == ["jane.smith@b.example"]


def test_an_account_that_is_gone_matches_and_says_so() -> None:
    load(HEADER + "a@b.example,,,,,\nb@b.example,,,,,\n")
    Account.objects.filter(login="b@b.example").update(gone_at=timezone.now())
    assert match("b@b.example").is_gone
    assert not match("a@b.example").is_gone


def test_blank_lines_and_comments_are_neither_matched_nor_missing() -> None:
    assert [one.status for one in match_many(["", "# note", "  "])] == [MatchStatus.BLANK] * 3


def test_matches_keep_the_order_of_the_lines_and_their_text() -> None:
    load(HEADER + "a@b.example,,,,,\n")
    matches = match_many(["\ufeffnobody", "  A@B.EXAMPLE ;", ""])
    assert [one.text for one in matches] == ["nobody", "A@B.EXAMPLE ;", ""]
    assert [one.status for one in matches] == [MatchStatus.UNMATCHED, MatchStatus.MATCHED, MatchStatus.BLANK]


@pytest.mark.parametrize("count", [3, 900])
def test_any_number_of_lines_takes_four_queries(tmp_path: Path, count: int) -> None:
    made = make_institution(tmp_path, accounts=300)
    load(made.csv.read_bytes())
    logins = list(Account.objects.values_list("login", flat=True))
    lines = [f"stranger {logins[number % 300]}x" if number % 3 else logins[number % 300] for number in range(count)]
    with CaptureQueriesContext(connection) as queries:
        match_many(lines)
    assert len(queries) == 4
