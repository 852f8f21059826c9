"""Accounts of which a read-back found undone what an action had achieved: marked, counted, filtered."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.queries.page import AccountFilter, account_page, filter_counts, selected_ids
from runbooks.incidents.models import Incident
from tests.factories import make_affected

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def differing(incident: Incident) -> AffectedAccount:
    make_affected(incident, sign_in_disabled_at=timezone.now())
    return make_affected(incident, differs=["sign_in_disabled"])


def text_of(client: Client, incident: Incident, query: str = "") -> str:
    return client.get(reverse("accounts", args=[incident.reference]) + query).text


def test_the_check_says_that_it_differs(
    incident: Incident, differing: AffectedAccount, auditor: User, client_of: ClientOf
) -> None:
    rows = text_of(client_of(auditor), incident).split("<tbody>")[1].split("</tr>")
    marked = [row for row in rows if "Differs" in row]
    assert len(marked) == 1
    assert differing.login.split("@")[0] in marked[0]


def test_it_differs_even_where_the_fact_was_found_again_by_somebody_else(
    incident: Incident, auditor: User, client_of: ClientOf
) -> None:
    make_affected(incident, differs=["sessions_revoked"], sessions_revoked_at=timezone.now())
    assert text_of(client_of(auditor), incident).count("Differs</span>") == 1


def test_remote_access_is_none_of_the_checks_and_is_said_beside_the_state(
    incident: Incident, auditor: User, client_of: ClientOf
) -> None:
    make_affected(incident, differs=["remote_access"])
    assert "Remote access differs" in text_of(client_of(auditor), incident)


def test_the_filter_finds_them_and_a_token_takes_it_off(
    incident: Incident, differing: AffectedAccount, auditor: User, client_of: ClientOf
) -> None:
    wanted = AccountFilter.read({"differs": "1"})
    assert [row.id for row in account_page(incident.pk, wanted).rows] == [differing.pk]
    assert selected_ids(incident.pk, wanted) == [differing.pk]
    assert filter_counts(incident.pk, AccountFilter()).differs == 1
    client = client_of(auditor)
    assert "1 account differs" in text_of(client, incident)
    assert "Differs from what was done" in text_of(client, incident, "?differs=1")
    assert AccountFilter.read({"differs": "yes"}) == AccountFilter()


def test_the_page_of_the_account_says_so(
    incident: Incident, differing: AffectedAccount, auditor: User, client_of: ClientOf
) -> None:
    page = client_of(auditor).get(reverse("account_detail", args=[incident.reference, differing.pk])).text
    assert "Differs" in page
