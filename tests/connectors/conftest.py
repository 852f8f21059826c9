"""Every connector of the registry, ready to be tried."""

import pytest

from runbooks.connectors import CONNECTORS, configured
from tests.connectors.stages import Stage, refs, simulated


@pytest.fixture
def simulated_stage() -> Stage:
    connector, clock = simulated()
    return Stage(connector, refs("anna.berg", "olaf.stein", "mara.dell"), lambda: clock.wait(10))


@pytest.fixture
def manual_stage() -> Stage:
    return Stage(configured("people"), refs("anna.berg", "olaf.stein", "mara.dell"))


@pytest.fixture(params=sorted(CONNECTORS))
def stage(request: pytest.FixtureRequest) -> Stage:
    """One of them after the other. A new connector needs a fixture of its own, <name>_stage."""
    found = request.getfixturevalue(f"{request.param}_stage")
    assert isinstance(found, Stage)
    return found
