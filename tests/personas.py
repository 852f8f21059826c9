"""The people of the tests. A persona is signed in as `client_of(user)`; the outsider belongs to nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from tests.factories import make_incident, make_user


@pytest.fixture
def administrator(db: None) -> User:
    return make_user(Role.ADMINISTRATOR, is_staff=True, is_superuser=True)


@pytest.fixture
def coordinator(db: None) -> User:
    return make_user(Role.COORDINATOR)


@pytest.fixture
def approver(db: None) -> User:
    """A second coordinator: whoever asks is never the one who approves."""
    return make_user(Role.COORDINATOR)


@pytest.fixture
def responder(db: None) -> User:
    return make_user(Role.RESPONDER)


@pytest.fixture
def desk(db: None) -> User:
    return make_user(Role.DESK)


@pytest.fixture
def communications(db: None) -> User:
    return make_user(Role.COMMUNICATIONS)


@pytest.fixture
def auditor(db: None) -> User:
    return make_user(Role.AUDITOR)


@pytest.fixture
def outsider(db: None) -> User:
    """A coordinator of other incidents: the most that somebody outside can be."""
    return make_user(Role.COORDINATOR)


@pytest.fixture
def incident(
    coordinator: User, approver: User, responder: User, desk: User, communications: User, auditor: User
) -> Incident:
    """A running incident with everybody in it but the outsider and the administrator."""
    return make_incident(lead=coordinator, members=(approver, responder, desk, communications, auditor))


class TidyClient(Client):
    """Keeps the files it is given, to close them: a test that looks at the headers alone reads none to its end."""

    def __init__(self, given: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self._given = given

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        if response.streaming:
            self._given.append(response)
        return response


@pytest.fixture
def client_of() -> Iterator[Callable[[User], Client]]:
    given: list[Any] = []

    def sign_in(user: User) -> Client:
        client = TidyClient(given)
        client.force_login(user)
        return client

    yield sign_in
    for response in given:
        response.close()
