"""What docs/subscriptions.md tells receivers to do: taken from the page as it stands, and run."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.outbound.signing import new_secret, signed
from runbooks.subscriptions.operations.managing import Made, exchange_secret
from tests.connectors.served import Asked
from tests.factories import make_entry
from tests.subscriptions.receiving import Receiver, carried, is_signed

PAGE = Path(settings.BASE_DIR) / "docs" / "subscriptions.md"


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(found)


def python_says(secret: str, asked: Asked, folder: Path) -> bool:
    """In a Python of its own, without the portal."""
    (folder / "secret").write_text(f"{secret}\n")
    program = example("python").replace("/run/secrets/portal", str(folder / "secret"))
    headers = {name.lower(): value for name, value in asked.headers.items()}
    program += f"\nraise SystemExit(0 if is_from_the_portal({headers!r}, {asked.body!r}) else 1)\n"
    return subprocess.run([sys.executable, "-I", "-W", "ignore::ResourceWarning", "-c", program]).returncode == 0


def shell_says(secret: str, asked: Asked, folder: Path) -> bool:
    (folder / "verify.sh").write_text(example("sh"))
    three = [asked.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")]
    command = ["sh", "-eu", str(folder / "verify.sh"), *three]
    ran = subprocess.run(command, input=asked.body, env={**os.environ, "SECRET": secret}, capture_output=True)
    assert ran.returncode in {0, 1}, ran.stderr
    return ran.returncode == 0


@pytest.fixture
def asked(receiver: Receiver, made: Made, incident: Incident) -> Asked:
    make_entry(incident)
    carried(made.subscription)
    return receiver.asked[-1]


@pytest.mark.django_db
@pytest.mark.parametrize("says", [python_says, shell_says])
def test_the_example_knows_the_portals_calls_from_others(says: Any, made: Made, asked: Asked, tmp_path: Path) -> None:
    assert says(made.secret, asked, tmp_path)
    assert not says(new_secret(), asked, tmp_path)
    assert not says(made.secret, Asked("POST", "/", asked.headers, asked.body + b" "), tmp_path)
    other = {**asked.headers, "webhook-timestamp": str(int(asked.headers["webhook-timestamp"]) + 1)}
    assert not says(made.secret, Asked("POST", "/", other, asked.body), tmp_path)


@pytest.mark.django_db
@pytest.mark.parametrize("says", [python_says, shell_says])
def test_the_example_takes_either_secret_while_they_are_exchanged(
    says: Any, receiver: Receiver, made: Made, incident: Incident, coordinator: User, tmp_path: Path
) -> None:
    subscription_id = made.subscription.pk
    again = exchange_secret(subscription_id=subscription_id, actor=actor_for(coordinator), at=timezone.now())
    carried(made.subscription)
    assert says(made.secret, receiver.asked[-1], tmp_path)
    assert says(again.secret, receiver.asked[-1], tmp_path)


def test_the_example_in_python_refuses_an_old_call(tmp_path: Path) -> None:
    secret, body = new_secret(), b"{}"
    for age, is_good in ((0, True), (200, True), (-200, True), (301, False), (-400, False), (86400, False)):
        headers = signed([secret], "one", body, timezone.now() - timedelta(seconds=age))
        assert python_says(secret, Asked("POST", "/", headers, body), tmp_path) is is_good


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the specification's own libraries, and a second implementation from its text."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", body, datetime.fromtimestamp(1614265330, UTC))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert is_signed(secret, headers, body)
