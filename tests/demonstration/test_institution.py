import re
from collections import Counter

import pytest

from runbooks.access.permissions import COMMAND_LINE
from runbooks.demonstration.institution import BadSizeError, Institution, make_institution
from runbooks.directory.models import Account
from runbooks.directory.operations import import_file
from runbooks.directory.queries import MatchStatus, match_many
from tests.demonstration.conftest import NOW


@pytest.fixture(scope="module")
def westminster() -> Institution:
    return make_institution(seed=2017)


def test_the_full_institution_has_the_proportions_of_a_parliament(westminster: Institution) -> None:
    departments = Counter(row.department for row in westminster.rows)
    kinds = Counter(row.kind for row in westminster.rows)
    assert len(westminster.rows) == 9000
    assert departments["Members"] == 650
    assert departments["Peers"] == 800
    assert kinds == {"person": 8365, "shared": 300, "service": 65, "guest": 270}
    assert sum(row.is_privileged for row in westminster.rows) == 120
    assert westminster.break_glass == 5


def test_about_four_in_a_hundred_people_are_switched_off(westminster: Institution) -> None:
    people = [row for row in westminster.rows if row.kind == "person"]
    assert 0.03 < sum(not row.is_enabled for row in people) / len(people) < 0.05


def test_nothing_of_it_can_reach_anybody(westminster: Institution) -> None:
    for row in westminster.rows:
        assert re.fullmatch(r"[a-z0-9.-]+@parliament\.example", row.login)
        assert all(address.endswith(".example") for address in (row.mail, row.alternate_mail) if address)
        assert not row.mobile or re.fullmatch(r"07700 900\d{3}", row.mobile)
        assert not row.telephone or re.fullmatch(r"020 7946 0\d{3}", row.telephone)


def test_logins_and_identifiers_are_unique(westminster: Institution) -> None:
    assert len({row.login for row in westminster.rows}) == 9000
    assert len({row.external_id for row in westminster.rows}) == 9000


def test_the_same_seed_gives_the_same_institution_and_another_seed_another() -> None:
    assert make_institution(seed=5, accounts=300) == make_institution(seed=5, accounts=300)
    assert make_institution(seed=5, accounts=300) != make_institution(seed=6, accounts=300)


@pytest.mark.parametrize("accounts", [250, 300, 1001])
def test_a_smaller_one_has_exactly_the_size_asked_for(accounts: int) -> None:
    made = make_institution(seed=1, accounts=accounts)
    assert len(made.rows) == accounts
    assert made.break_glass >= 2


@pytest.mark.parametrize("accounts", [0, 249, 200_001])
def test_one_that_is_too_small_or_too_large_is_refused(accounts: int) -> None:
    with pytest.raises(BadSizeError, match="has 250 to 200,000 accounts"):
        make_institution(seed=1, accounts=accounts)


@pytest.mark.django_db
def test_the_directory_takes_every_row_as_it_is(westminster: Institution) -> None:
    imported = import_file(actor=COMMAND_LINE, file=westminster.as_csv(), file_name="export.csv", at=NOW)
    assert imported.counts["rejected"] == 0
    stored = Account.objects.values_list("login", "display_name", "mobile", "kind", "is_enabled", "is_privileged")
    assert sorted(stored) == sorted(
        (row.login, row.display_name, row.mobile, row.kind, row.is_enabled, row.is_privileged)
        for row in westminster.rows
    )


@pytest.mark.django_db
def test_the_name_of_twins_means_both_of_them() -> None:
    made = make_institution(seed=2017, accounts=300)
    import_file(actor=COMMAND_LINE, file=made.as_csv(), file_name="export.csv", at=NOW)
    for pair, found in zip(made.twins, match_many(one.display_name for one, _ in made.twins), strict=True):
        assert found.status == MatchStatus.AMBIGUOUS
        assert {row.login for row in pair} <= {account.login for account in found.candidates}
