"""Whatever the institution runs, such as a SOAR or scripts: a signed request, answered now or by call-back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings

from runbooks.connectors import UnknownConnectionError, configured
from runbooks.connectors.base import Action, Fact
from runbooks.connectors.options import MisconfiguredError, Options
from runbooks.connectors.web import place
from runbooks.connectors.webhook.connector import Abilities, WebhookConnector
from runbooks.connectors.webhook.messages import Answer
from runbooks.errors import NotFoundError

LEAST_SECRET = 32
BATCH, MOST_BATCH = 100, 1000


class NoReceiverError(NotFoundError):
    pass


def connect(name: str, options: Mapping[str, Any]) -> WebhookConnector:
    read = Options(name, options)
    secret = read.secret("secret")
    if len(secret) < LEAST_SECRET:
        raise MisconfiguredError(f"The secret of the connection {name} is short. Take {LEAST_SECRET} characters.")
    where = place(name, read.text("url"), read.text("ca_file", ""))
    doing = sorted(set(Action) - {Action.READ_STATE})
    actions = read.words("actions", [action.value for action in doing])
    reads = read.boolean("reads", default=False)
    facts = read.words("facts", [fact.value for fact in Fact], default=[fact.value for fact in Fact])
    can = Abilities(
        actions=frozenset(Action(text) for text in actions) | ({Action.READ_STATE} if reads else set()),
        facts=frozenset(Fact(text) for text in facts) if reads else frozenset(),
        batch_size=int(read.number("batch_size", BATCH, least=1, most=MOST_BATCH)),
        rate_per_second=read.number("rate_per_second", 10, least=0.01),
        lag_seconds=read.number("lag_seconds", 0),
    )
    read.finish()
    # The page that takes answers is named in the address book of the portal; the path is part of the documentation.
    answer_url = f"{settings.PORTAL_URL.rstrip('/')}/connectors/{quote(name, safe='')}/answers/"
    return WebhookConnector(name, where, secret, can, answer_url)


def read_answer(name: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """What a receiver sent by call-back to the connection `name`, once its signature and its age hold.

    Raises NoReceiverError (404), ForgedAnswerError (403), MalformedAnswerError (400): this is for strangers to call,
    so none of them tells what there is.
    """
    try:
        connector = configured(name)
    except (UnknownConnectionError, MisconfiguredError):
        connector = None
    if not isinstance(connector, WebhookConnector):
        raise NoReceiverError("No answer is expected here.")
    return connector.read_answer(headers, body, now)
