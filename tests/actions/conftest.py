"""A real directory of 9,000 under the incident."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from tests.connectors.conftest import connection_of, institution_folder, slapd, stopped_slapd
from tests.connectors.slapd import Slapd
from tests.directory.institution import load
from tests.factories import make_incident, make_user

__all__ = ["connection_of", "institution_folder", "slapd", "stopped_slapd"]


@pytest.fixture
def asker() -> User:
    return make_user(Role.RESPONDER)


@pytest.fixture
def approver() -> User:
    return make_user(Role.COORDINATOR)


@pytest.fixture
def institution(slapd: Slapd, connection_of: Callable[..., None], asker: User, approver: User) -> Incident:
    """A real incident; the 9,000 of the directory are the portal's accounts, too."""
    connection_of(slapd, login_attribute="mail", rate_per_second=100_000)
    load(Path(slapd.folder / "directory.ldif").read_bytes(), name="directory.ldif")
    return make_incident(lead=approver, members=(asker,))


@pytest.fixture
def steady(settings: Any) -> dict[str, object]:
    """A simulated directory in which nothing goes wrong."""
    options: dict[str, object] = {
        "connector": "simulated", "throttled": 0, "busy": 0, "slipping": 0, "refused": 0, "lag_seconds": 0,
    }  # fmt: skip
    settings.CONNECTIONS = {"directory": options}
    return options
