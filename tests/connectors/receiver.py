"""A receiver as an institution may write one: checks the signature, and keeps a small directory of its own."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from tests.connectors.served import Asked, Said

SECRET = "a secret of more than 32 characters"
CHANGES = {
    "lock_account": ("locked", ["true"]),
    "unlock_account": ("locked", ["false"]),
    "require_password_change": ("must_change_password", ["true"]),
    "restrict_remote_access": ("remote_access", ["false"]),
    "restore_remote_access": ("remote_access", ["true"]),
}


class Receiver:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.accounts: dict[str, dict[str, list[str]]] = {}
        self.ended: set[tuple[str, str]] = set()
        self.is_careless = False
        self.answer: Callable[[Asked], Said] = self.usual
        """What a test may put in the place of the usual."""

    def __call__(self, asked: Asked) -> Said:
        self.asked.append(asked)
        timestamp = asked.headers["X-IR-Portal-Timestamp"]
        expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + asked.body, sha256).hexdigest()
        if not self.is_careless and not hmac.compare_digest(asked.headers["X-IR-Portal-Signature"], f"v1={expected}"):
            return Said(403, {"message": "Who are you?"})
        return self.answer(asked)

    def usual(self, asked: Asked) -> Said:
        request = asked.content
        results = [self._result(request, account["login"]) for account in request["accounts"]]
        return Said(200, {"results": results})

    def account(self, login: str) -> dict[str, list[str]]:
        usual = {"locked": ["false"], "must_change_password": ["false"], "remote_access": ["true"]}
        return self.accounts.setdefault(login, usual)

    def _result(self, request: dict[str, Any], login: str) -> dict[str, Any]:
        action, account = request["action"], self.account(login)
        if action == "read_state":
            facts = {name: raw == ["true"] for name, raw in account.items()}
            return {"login": login, "outcome": "ok", "facts": facts, "values": dict(account)}
        before = dict(account)
        if action == "end_sessions":
            done = (request["id"], login) in self.ended
            self.ended.add((request["id"], login))
            return {"login": login, "outcome": "already" if done else "ok", "before": before}
        name, wanted = CHANGES[action]
        if "values" in request:
            wanted = request["values"][login][name]
        outcome = "already" if account[name] == wanted else "ok"
        account[name] = wanted
        return {"login": login, "outcome": outcome, "before": before}
