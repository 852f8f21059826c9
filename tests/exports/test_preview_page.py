"""The page that says what a disclosure copy would hold, before anybody asks for it."""

from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.test import Client

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.exports.models import Export, SigningKey
from runbooks.exports.views import preview
from runbooks.incidents.models import Incident
from tests.access.writes import writes, written
from tests.factories import make_account, make_affected, make_entry

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def page(client: Client, incident: Incident, query: str = "") -> str:
    answer = client.get(f"/incidents/{incident.reference}/exports/preview/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def other(incident: Incident) -> AffectedAccount:
    login = "bill.storkson@parliament.example"
    account = make_account(
        login=login, mail=login, display_name="Storkson, Bill", given_name="Bill", family_name="Storkson"
    )
    return make_affected(incident, account)


def test_it_counts_and_shows_some_of_each(
    incident: Incident, auditor: User, other: AffectedAccount, client_of: ClientOf
) -> None:
    for _ in range(12):
        make_entry(incident, f"Sessions of {other.login} ended", kind="fact.recorded", actor=PORTAL)
    typed = make_entry(incident, "Storkson rang", kind="entry.added")
    make_entry(incident, "The gateway was closed", kind="entry.added")
    client, before = client_of(auditor), writes()
    said = page(client, incident)
    assert "For a regulator: everybody is under a pseudonym." in said
    for line in ("<dt>1</dt><dd>whole", "<dt>12</dt><dd>with pseudonyms", "<dt>1</dt><dd>withheld"):
        assert line in said
    assert said.count("Sessions of account-") == 2
    assert f'timeline/{typed.sequence}/">#{typed.sequence}</a> Entry added' in said
    assert "torkson" not in said.partition('id="preview"')[2]
    assert written(before) == {"runbooks_accessrecord"}
    assert not Export.objects.exists()


def test_for_a_holder_it_says_who_and_what_the_filter_leaves_out(
    incident: Incident, responder: User, other: AffectedAccount, client_of: ClientOf
) -> None:
    make_entry(incident, f"Sessions of {other.login} ended", kind="fact.recorded", actor=PORTAL, account_ids=[other.pk])
    make_entry(incident, "The gateway was closed")
    said = page(client_of(responder), incident, f"?account={other.login}")
    assert f"For <b>{other.login}</b>" in said
    assert "<dt>1</dt><dd>whole" in said
    assert "<dt>1</dt><dd>left out by the filter" in said


def test_what_cannot_be_looked_at_is_said(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_entry(incident, "<script>zqx()</script>")
    client = client_of(responder)
    assert "No account of this incident begins with" in page(client, incident, "?account=<script>zqx()</script>")
    assert "<script>zqx" not in page(client, incident, "?account=<script>zqx()</script>")
    with patch.object(preview, "MOST", 0):
        said = page(client, incident)
    assert "manage.py preview_disclosure" in said
    assert "<dt>" not in said.partition('id="preview"')[2]


def test_the_form_leads_to_it_with_its_filter(
    incident: Incident, responder: User, client_of: ClientOf, key: SigningKey
) -> None:
    make_entry(incident)
    said = client_of(responder).get(f"/incidents/{incident.reference}/exports/?lane=note&fold=0").content.decode()
    assert f'href="/incidents/{incident.reference}/exports/preview/?lane=note">See what it would hold</a>' in said


def test_only_those_who_export_see_it(incident: Incident, desk: User, outsider: User, client_of: ClientOf) -> None:
    address = f"/incidents/{incident.reference}/exports/preview/"
    assert client_of(desk).get(address).status_code == 403
    assert client_of(outsider).get(address).status_code == 404
