"""Microsoft Graph over HTTP: single requests, pages, and batches of twenty whose answers stand each for itself.

Graph throttles: it says how long to wait, and requests made meanwhile count as well. So after a 429 nothing is sent
until the time is over; the caller hears a ConnectorError with what is left of it.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from runbooks import outbound
from runbooks.connectors.base import ConnectorError
from runbooks.connectors.entra_id.token import Application, Clock, Token, content_of, token_of
from runbooks.outbound import OutboundError, Timeouts

BATCH: Final = 20
THROTTLED_SECONDS, AGAIN_SECONDS = 1.0, 5.0
"""Where Graph throttles without a word on how long (conditional access: one request a second); after other faults."""
TIMEOUTS: Final = Timeouts(connect=5, read=20, total=30)
NEARLY_THROTTLED, MOST_WORDS = 0.8, 300
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY = 401, 403, 404, 409, 429
SERVICE_UNAVAILABLE, SERVER_ERROR = 503, 500
NOT_SENT, NOT_ANSWERED = 0, -1
PASSING: Final = frozenset({NOT_SENT, NOT_ANSWERED, UNAUTHORIZED, 408, CONFLICT, 423, 424, TOO_MANY})

logger = logging.getLogger(__name__)


class UnansweredError(ConnectorError):
    """The request was sent, and nobody knows whether it was done."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    """From /users on, quoted."""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    """Of HTTP; NOT_SENT or NOT_ANSWERED where there is none."""
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    why: str = ""

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_passing(self) -> bool:
        return self.status in PASSING or self.status >= SERVER_ERROR

    @property
    def wait(self) -> float:
        """Seconds until another try is worth it."""
        if self.retry_after is not None:
            return self.retry_after
        return THROTTLED_SECONDS if self.status == TOO_MANY else AGAIN_SECONDS

    @property
    def words(self) -> str:
        """What Graph said, in one line."""
        if self.why:
            return self.why
        told = self.body.get("error")
        told = told if isinstance(told, dict) else {}
        said = f"{told.get('code', '')}: {told.get('message', '')}".strip(": ").rstrip(".")
        return f"{self.status} {' '.join(said.split())[:MOST_WORDS]}".strip()


class Session:
    """Connects at the first call. Every call raises ConnectorError when nothing came of it at all."""

    def __init__(
        self, application: Application, base_url: str, *, ca_file: str = "", clock: Clock | None = None
    ) -> None:
        self._application, self.base_url, self._ca_file = application, base_url.rstrip("/"), ca_file
        self.clock = clock or Clock()
        self._http: httpx.Client | None = None
        self._token: Token | None = None
        self._quiet_until: datetime | None = None

    def roles(self) -> frozenset[str]:
        """The permissions of the portal's application."""
        return self._signed_in(self._client()).roles

    def get(self, path: str) -> Answer:
        return self.call(Request("GET", path))

    def call(self, request: Request) -> Answer:
        """One request by itself; anything but a throttled or a missing answer is for the caller to judge."""
        answer = self._sent(request)
        if answer.status == TOO_MANY or answer.status == SERVICE_UNAVAILABLE:
            raise ConnectorError(f"Microsoft Graph is busy ({answer.words}).", permanent=False, retry_after=answer.wait)
        if answer.status >= SERVER_ERROR:
            raise UnansweredError(f"Microsoft Graph failed ({answer.words}).", permanent=False, retry_after=answer.wait)
        return answer

    def pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """The entries of a list, page by page."""
        while path:
            answer = self.get(path)
            if not answer.is_ok:
                raise ConnectorError(
                    f"Microsoft Graph refused a list ({answer.words}).", permanent=not answer.is_passing
                )
            yield from answer.body.get("value", ())
            path = self._onward(str(answer.body.get("@odata.nextLink", "")))

    def batch(self, requests: Sequence[Request]) -> list[Answer]:
        """An answer a request, in the order given, twenty at a time. Raises only when nothing was sent.

        Once Graph throttles or is lost, the rest is not sent, and says so.
        """
        answers: list[Answer] = []
        for start in range(0, len(requests), BATCH):
            try:
                answers += self._twenty(requests[start : start + BATCH])
            except UnansweredError as error:
                answers += [Answer(NOT_ANSWERED, why=str(error))] * len(requests[start : start + BATCH])
            except ConnectorError as error:
                if not answers:
                    raise
                answers += [Answer(NOT_SENT, retry_after=error.retry_after, why=f"not tried: {error}")]
            stopped = next((one for one in answers if one.status in (TOO_MANY, NOT_SENT, NOT_ANSWERED)), None)
            if stopped is not None:
                rest = Answer(NOT_SENT, retry_after=stopped.wait, why="not tried, as Microsoft Graph asks for a pause")
                return answers + [rest] * (len(requests) - len(answers))
        return answers

    def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            http.close()

    # One request

    def _twenty(self, requests: Sequence[Request]) -> list[Answer]:
        content = {"requests": [_inner(number, request) for number, request in enumerate(requests)]}
        answer = self.call(Request("POST", "/$batch", content))
        if not answer.is_ok:
            raise ConnectorError(f"Microsoft Graph refused a batch ({answer.words}).", permanent=not answer.is_passing)
        found = {str(one.get("id")): one for one in answer.body.get("responses", ())}
        missing = Answer(NOT_ANSWERED, why="Microsoft Graph left it out of its answer")
        return [
            self._answer(httpx.Response(found[name]["status"], headers=_headers(found[name])), found[name].get("body"))
            if (name := str(number)) in found
            else missing
            for number in range(len(requests))
        ]

    def _sent(self, request: Request) -> Answer:
        """With a new token once, when the one at hand is refused."""
        self._stay_quiet()
        http = self._client()
        token = self._signed_in(http)
        answer = self._exchanged(http, request, token)
        if answer.status == UNAUTHORIZED:
            self._token = token_of(self._application, http, self.clock, spent=token)
            answer = self._exchanged(http, request, self._token)
        if answer.status == UNAUTHORIZED:
            raise ConnectorError(f"Microsoft Graph refuses the portal's token ({answer.words}).", permanent=True)
        return answer

    def _exchanged(self, http: httpx.Client, request: Request, token: Token) -> Answer:
        headers = {"Authorization": f"Bearer {token.text}"}
        try:
            response = http.request(request.method, self.base_url + request.path, json=request.body, headers=headers)
            content = content_of(response)
        except OutboundError as error:
            lost = UnansweredError if error.may_have_arrived else ConnectorError
            again = None if error.permanent else error.retry_after or AGAIN_SECONDS
            raise lost(str(error), permanent=error.permanent, retry_after=again) from None
        return self._answer(response, content)

    def _answer(self, response: httpx.Response, content: Any) -> Answer:
        """From a response, or from one inside a batch; what it says of throttling is kept."""
        now = self.clock.now()
        body = content if isinstance(content, dict) else {}
        answer = Answer(response.status_code, body, outbound.retry_after(response, now))
        if answer.status == TOO_MANY:
            until = now + timedelta(seconds=answer.wait)
            self._quiet_until = max(self._quiet_until or until, until)
        used = response.headers.get("x-ms-throttle-limit-percentage", "")
        if used.replace(".", "", 1).isdigit() and float(used) >= NEARLY_THROTTLED:
            logger.warning("Microsoft Graph throttles soon: %.0f %% of its limit are used.", float(used) * 100)
        return answer

    def _stay_quiet(self) -> None:
        left = (self._quiet_until - self.clock.now()).total_seconds() if self._quiet_until else 0
        if left > 0:
            raise ConnectorError("Microsoft Graph asked for a pause.", permanent=False, retry_after=left)
        self._quiet_until = None

    def _client(self) -> httpx.Client:
        if self._http is None:
            try:
                self._http = outbound.client(base_url=self.base_url, ca_file=self._ca_file, timeout=TIMEOUTS)
            except OutboundError as error:
                raise ConnectorError(str(error), permanent=error.permanent) from None
        return self._http

    def _signed_in(self, http: httpx.Client) -> Token:
        if self._token is None or self.clock.now() >= self._token.ends_at:
            self._token = token_of(self._application, http, self.clock)
        return self._token

    def _onward(self, link: str) -> str:
        """The path of the next page. A token goes to no other place than the one it is for."""
        if link and not link.startswith(f"{self.base_url}/"):
            raise ConnectorError("Microsoft Graph names a next page somewhere else. Check base_url.", permanent=True)
        return link.removeprefix(self.base_url)


def _inner(number: int, request: Request) -> dict[str, Any]:
    inner: dict[str, Any] = {"id": str(number), "method": request.method, "url": request.path}
    if request.body is not None:
        inner |= {"body": request.body, "headers": {"Content-Type": "application/json"}}
    return inner


def _headers(inner: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (inner.get("headers") or {}).items()}
