"""Letters for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pypdf import PdfReader

from runbooks.confirmations.letters import Letter, Sender, make_letters
from tests.pdf import read

MADE_AT = datetime(2017, 6, 23, 14, tzinfo=UTC)
SENDER = Sender(
    institution="Parliament (fictitious)",
    page_url="https://portal.parliament.example/confirm/",
    zone=ZoneInfo("Europe/London"),
)


def letter(number: int = 1, **changes: Any) -> Letter:
    values: dict[str, Any] = {
        "number": number,
        "name": "Zoë Birkmere",
        "office": "Room 412",
        "department": "Members’ staff",
        "account": "birkmerez@parliament.example",
        "code": "7K2M-9QTX",
        "expires_at": MADE_AT + timedelta(days=14),
        "incident": "IR-2017-003",
        "what_happened": "Somebody guessed passwords of our accounts, and may have used yours.",
        **changes,
    }
    return Letter(**values)


def made(*letters: Letter, **changes: Any) -> PdfReader:
    options: dict[str, Any] = {"run": 3, "sender": SENDER, "made_at": MADE_AT, **changes}
    return read(make_letters(letters, **options))
