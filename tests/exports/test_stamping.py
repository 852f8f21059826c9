"""Time stamps by an authority: asked for, verified, kept, and asked for again while it is out of reach."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from runbooks.exports import tasks
from runbooks.exports.models import Checkpoint, SigningKey
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.operations.stamping import StampError, _response, ask, check_authority, stamp_due, stamp_fault
from runbooks.incidents.models import Incident
from tests.connectors.served import HANG_UP, Asked, Said, served
from tests.exports.authority import Authority
from tests.exports.sealing import ticking
from tests.factories import make_entry

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "ours")


class Address:
    """Where the authority is asked; a test may have it answer otherwise."""

    answer: Callable[[Asked], Said]


@pytest.fixture
def address(authority: Authority, settings: Any) -> Iterator[Address]:
    authority.asked.clear()
    found = Address()
    found.answer = authority.answer
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.TSA_CA_FILE = str(authority.ca)
    with ExitStack() as stack:
        settings.TSA_URL = stack.enter_context(served(lambda asked: found.answer(asked))) + "/tsa"
        yield found


@pytest.fixture
def checkpoint(incident: Incident, key: SigningKey, address: Address) -> Checkpoint:
    make_entry(incident)
    made = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert made is not None
    return made


def stamp(at: datetime | None = None) -> int:
    return stamp_due(clock=ticking(at or timezone.now(), timedelta(milliseconds=1)))


def test_a_checkpoint_is_stamped_and_openssl_agrees(
    checkpoint: Checkpoint, authority: Authority, tmp_path: Path
) -> None:
    tasks.stamp()
    checkpoint.refresh_from_db()
    assert checkpoint.token is not None
    assert checkpoint.token_at is not None
    assert abs(checkpoint.token_at - timezone.now()) < timedelta(minutes=1)
    assert (checkpoint.token_trouble, checkpoint.token_due_at) == ("", None)
    assert stamp_fault(checkpoint) == ""
    (asked,) = authority.asked
    assert asked.headers["Content-Type"] == "application/timestamp-query"
    (tmp_path / "token").write_bytes(checkpoint.token)
    (tmp_path / "data").write_text(checkpoint.signature, newline="")
    command = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile", str(authority.ca)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr
    assert stamp() == 0


def test_without_an_authority_nothing_is_asked_for(incident: Incident, key: SigningKey) -> None:
    make_entry(incident)
    made = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert made is not None
    assert made.token_due_at is None


@pytest.mark.parametrize(
    "said",
    [
        HANG_UP,
        Said(503),
        Said(200, b"<html>", {"Content-Type": "text/html"}),
        Said(200, b"nonsense", {"Content-Type": "application/timestamp-reply"}),
        Said(200, b"", {"Content-Type": "application/timestamp-reply"}),
        # SEQUENCE { SEQUENCE { INTEGER 2 } }: refused, without a token.
        Said(200, b"\x30\x05\x30\x03\x02\x01\x02", {"Content-Type": "application/timestamp-reply"}),
        Said(302, headers={"Location": "https://elsewhere.example/"}),
    ],
)
def test_trouble_is_noted_and_it_is_asked_again(said: Said, checkpoint: Checkpoint, address: Address) -> None:
    good, address.answer = address.answer, lambda _: said
    assert stamp() == 0
    checkpoint.refresh_from_db()
    assert checkpoint.token is None
    assert checkpoint.token_trouble
    assert checkpoint.token_due_at is not None
    assert stamp(checkpoint.token_due_at - timedelta(seconds=1)) == 0
    address.answer = good
    assert stamp(checkpoint.token_due_at + timedelta(seconds=1)) == 1


def test_after_a_week_it_is_asked_no_more(checkpoint: Checkpoint, address: Address) -> None:
    address.answer = lambda _: Said(503)
    assert stamp(checkpoint.signed_at + timedelta(days=8)) == 0
    checkpoint.refresh_from_db()
    assert checkpoint.token_due_at is None


def test_a_stamp_by_another_authority_is_refused(checkpoint: Checkpoint, address: Address, tmp_path: Path) -> None:
    address.answer = Authority(tmp_path / "other", "Heron").answer
    assert stamp() == 0
    checkpoint.refresh_from_db()
    assert checkpoint.token is None
    assert "not good" in checkpoint.token_trouble


def test_a_stamp_over_other_bytes_or_of_an_earlier_answer_is_refused(
    checkpoint: Checkpoint, address: Address, authority: Authority
) -> None:
    kept: list[Said] = []

    def again(asked: Asked) -> Said:
        kept.append(authority.answer(asked))
        return kept[0]

    address.answer = again
    ask(b"something")
    with pytest.raises(StampError):
        ask(b"something")  # the nonce is another
    with pytest.raises(StampError):
        ask(b"something else")


def test_a_kept_stamp_that_was_exchanged_is_noticed(checkpoint: Checkpoint, authority: Authority) -> None:
    stamp()
    checkpoint.refresh_from_db()
    checkpoint.signature += "x"
    assert stamp_fault(checkpoint)
    checkpoint.refresh_from_db()
    checkpoint.token_at = timezone.now() + timedelta(days=1)
    assert "another time" in stamp_fault(checkpoint)
    checkpoint.token = b"nonsense"
    assert stamp_fault(checkpoint)


def test_an_authority_needs_certificates_to_be_trusted_by(settings: Any, tmp_path: Path) -> None:
    assert check_authority(None) == []
    settings.TSA_URL = "https://tsa.example/"
    assert "TSA_CA_FILE" in check_authority(None)[0].msg
    settings.TSA_CA_FILE = str(tmp_path / "missing")
    assert "cannot be read" in check_authority(None)[0].msg
    (tmp_path / "missing").write_text("nothing")
    assert "no certificates" in check_authority(None)[0].msg


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(noise=st.binary(max_size=200))
def test_no_answer_breaks_the_reading(noise: bytes) -> None:
    with pytest.raises(ValueError):
        _response(noise).tst_info  # noqa: B018  # read only when asked for
