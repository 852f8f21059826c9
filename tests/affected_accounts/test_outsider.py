"""Who is not in the incident finds nothing of its accounts."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.affected_accounts.urls import urlpatterns
from runbooks.incidents.models import Incident
from runbooks.timeline.operations import now
from tests.factories import make_affected

pytestmark = pytest.mark.django_db
ONLY_READ = {"accounts", "account_detail", "accounts_unresolved"}
ONLY_POST = {"account_act", "accounts_settle"}


@pytest.mark.parametrize("name", [pattern.name for pattern in urlpatterns])
@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_every_address_is_404_to_an_outsider_and_changes_nothing(
    incident: Incident, outsider: User, client_of: Callable[[User], Client], name: str, method: str
) -> None:
    row = make_affected(incident)
    staged = AffectedImport.objects.create(
        incident=incident, file_name="x", sha256="0" * 64, uploaded_by="a test", uploaded_at=now()
    )
    line = UnresolvedLine.objects.create(incident=incident, source=staged, line_number=1, text="x")
    known = {"import_id": staged.pk, "line_id": line.pk, "verb": "tier", "affected_id": row.pk}
    (pattern,) = [one for one in urlpatterns if one.name == name]
    arguments = {key: known[key] for key in pattern.pattern.converters if key != "reference"}
    there = reverse(name, kwargs={"reference": incident.reference, **arguments}) + f"?id={row.pk}"
    response = getattr(client_of(outsider), method)(there, {"tier": "A", "expected": "1"} if method == "post" else {})
    # What an address takes is no secret: it answers so whether the incident exists or not.
    takes_no_other = name in (ONLY_READ if method == "post" else ONLY_POST)
    assert response.status_code == (405 if takes_no_other else 404)
    assert not AffectedAccount.objects.filter(tier="A").exists()


def test_who_has_not_signed_in_is_sent_to_sign_in(incident: Incident, client: Client) -> None:
    for pattern in urlpatterns[:2]:
        response = client.get(reverse(str(pattern.name), args=[incident.reference]))
        assert response.status_code == 302
        assert response["Location"].startswith("/account/sign-in/")
