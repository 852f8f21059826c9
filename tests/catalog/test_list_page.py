"""/runbooks/"""

import html
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.catalog.loader import all_runbooks

ClientOf = Callable[[User], Client]
PERSONAS = ["coordinator", "responder", "desk", "communications", "auditor", "administrator", "outsider"]


@pytest.mark.parametrize("persona", PERSONAS)
def test_everybody_who_signs_in_may_read_the_list(
    persona: str, request: pytest.FixtureRequest, client_of: ClientOf
) -> None:
    response = client_of(request.getfixturevalue(persona)).get("/runbooks/")
    assert response.status_code == 200


def test_every_runbook_is_there_with_its_link_and_its_number_of_steps(desk: User, client_of: ClientOf) -> None:
    page = " ".join(client_of(desk).get("/runbooks/").content.decode().split())
    for runbook in all_runbooks():
        assert f'<a href="/runbooks/{runbook.slug}/">{html.escape(runbook.title)}</a>' in page
    assert "<dt>Steps</dt><dd>40</dd>" in page
    assert "<dt>For each account</dt><dd>15</dd>" in page


def test_a_visitor_is_sent_to_sign_in(db: None, client: Client) -> None:
    response = client.get("/runbooks/")
    assert response.status_code == 302
    assert response.headers["Location"] == f"{reverse('account_login')}?next=/runbooks/"


def test_the_list_changes_nothing(desk: User, client_of: ClientOf) -> None:
    assert client_of(desk).post("/runbooks/").status_code == 405
