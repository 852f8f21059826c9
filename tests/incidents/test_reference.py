"""References are gapless within a year, whatever fails and whoever declares at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from runbooks.incidents.operations import next_reference


@pytest.mark.django_db
def test_a_rolled_back_number_is_given_again() -> None:
    with transaction.atomic():
        assert next_reference(2026) == (1, "IR-2026-0001")
        transaction.set_rollback(True)
    with transaction.atomic():
        assert next_reference(2026) == (1, "IR-2026-0001")


@pytest.mark.django_db
def test_each_year_begins_at_one() -> None:
    with transaction.atomic():
        assert [next_reference(2026)[1], next_reference(2027)[1], next_reference(2026)[1]] == [
            "IR-2026-0001",
            "IR-2027-0001",
            "IR-2026-0002",
        ]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_different_numbers_without_a_gap() -> None:
    def take(_: int) -> int:
        try:
            with transaction.atomic():
                return next_reference(2026)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(take, range(24)))
    assert sorted(numbers) == list(range(1, 25))
