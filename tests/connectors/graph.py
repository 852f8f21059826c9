"""Microsoft Graph and its token endpoint on this machine, in front of a tenant in memory."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit
from uuid import uuid4

from tests.connectors.graph_tenant import Reply, Sent, Tenant, error

BATCH = 20


class Graph:
    """The server of one tenant. What was asked of it stands in `sent`, in order."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.sent: list[Sent] = []
        self.tokens: dict[str, datetime] = {}
        self.outer: list[Reply] = []
        """Answers to the next requests, whatever they are, before anything is done; not for tokens."""
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Graph"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def of(self, method: str, ending: str = "") -> list[Sent]:
        return [one for one in self.sent if one.method == method and one.path.endswith(ending)]

    def writes(self) -> list[Sent]:
        """The changes, without the envelopes they came in."""
        return [one for one in self.sent if one.method != "GET" and not one.path.endswith(("$batch", "/token"))]

    # One request

    def reply(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        with self._lock:  # a tenant is not made for two at once; Graph is
            path = unquote(urlsplit(target).path)
            if path == f"/{self.tenant.tenant_id}/oauth2/v2.0/token":
                self.sent.append(Sent(method, path, None))
                return self._token(dict(parse_qsl(raw.decode())))
            if path.endswith("/oauth2/v2.0/token"):
                return Reply(400, {"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found."})
            return self._graph(method, path, target, headers, json.loads(raw) if raw else None)

    def _token(self, form: Mapping[str, str]) -> Reply:
        tenant = self.tenant
        if form.get("client_id") != tenant.client_id:
            text = f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found."
            return Reply(400, {"error": "unauthorized_client", "error_description": text, "error_codes": [700016]})
        if form.get("client_secret") != tenant.secret:
            text = f"AADSTS7000215: Invalid client secret provided ({form.get('client_secret')}). Trace ID: {uuid4()}"
            return Reply(401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]})
        if form.get("grant_type") != "client_credentials" or form.get("scope") != f"{self.origin}/.default":
            return Reply(400, {"error": "invalid_scope", "error_description": "AADSTS70011: The scope is not valid."})
        claims = {"roles": sorted(tenant.roles), "appid": tenant.client_id, "tid": tenant.tenant_id, "jti": uuid4().hex}
        token = ".".join((_part({"alg": "none"}), _part(claims), "c2lnbmVk"))
        self.tokens[token] = tenant.clock() + timedelta(seconds=tenant.token_seconds)
        return Reply(200, {"token_type": "Bearer", "expires_in": tenant.token_seconds, "access_token": token})

    def _graph(self, method: str, path: str, target: str, headers: Mapping[str, str], body: Any) -> Reply:
        self.sent.append(Sent(method, path, body))
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, self.tenant.clock()) <= self.tenant.clock():
            return error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        if self.outer:
            return self.outer.pop(0)
        if path == "/v1.0/$batch":
            return self._batch(body["requests"])
        return self._one(method, target.removeprefix("/v1.0"), body)

    def _one(self, method: str, target: str, body: Any) -> Reply:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        reply = self.tenant.answer(method, unquote(parts.path), query, body)
        if isinstance(reply.body, dict) and reply.body.get("@odata.nextLink", "").startswith("/groups"):
            link = f"{self.origin}/v1.0{reply.body['@odata.nextLink']}"
            return Reply(reply.status, {**reply.body, "@odata.nextLink": link}, reply.headers)
        return reply

    def _batch(self, requests: list[dict[str, Any]]) -> Reply:
        """Each by itself, answered in another order than asked; 200 whatever they came to."""
        if len(requests) > BATCH:
            return error(400, "BadRequest", f"The batch has more than {BATCH} requests.")
        if len({one["id"] for one in requests}) != len(requests):
            return error(400, "BadRequest", "Every request needs an id of its own.")
        status: dict[str, int] = {}
        answers = []
        for one in requests:
            reply = self._inner(one, status)
            status[one["id"]] = reply.status
            answers.append(
                {"id": one["id"], "status": reply.status, "headers": dict(reply.headers), "body": reply.body}
            )
        return Reply(200, {"responses": answers[::-1]})

    def _inner(self, one: dict[str, Any], status: Mapping[str, int]) -> Reply:
        if any(status.get(needed, 424) >= 400 for needed in one.get("dependsOn", [])):
            return error(424, "FailedDependency", "A request this one depends on failed.")
        types = {key.lower(): value for key, value in one.get("headers", {}).items()}
        if "body" in one and types.get("content-type") != "application/json":
            return error(400, "BadRequest", "Write request with a body needs a Content-Type header.")
        url = str(one["url"])
        self.sent.append(Sent(one["method"], unquote(urlsplit(url).path), one.get("body")))
        return self._one(one["method"], url, one.get("body"))


def _part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _handler(graph: Graph) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = graph.reply(self.command, self.path, self.headers, raw)
            content = b"" if reply.body is None else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("request-id", str(uuid4()))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: tests read `sent`."""

    return Handler
