"""A real SCIM server (scim2-server) in a process of its own, with a tenant a test, and an independent client of it."""

import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.connectors.slapd import free_port

TOKEN = "a-token-of-the-portals-own"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@dataclass
class ScimServer:
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sys.executable).with_name("scim2-server")
        options = ["--bearer-token", TOKEN, "--port", str(self.port), "--dynamic-tenants"]
        with (self.folder / "scim.log").open("wb") as log:
            self.process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "scim.log").read_text()
            assert time.monotonic() < deadline, "scim2-server does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _answers(self) -> bool:
        try:
            return (
                httpx.get(f"http://127.0.0.1:{self.port}/anybody/v2/Users", trust_env=False, verify=False).status_code
                == 401
            )
        except httpx.TransportError:
            return False


class Tenant:
    """A directory of one test's own."""

    def __init__(self, server: ScimServer, name: str) -> None:
        self.url = f"http://127.0.0.1:{server.port}/{name}/v2"

    def user(self, login: str, **attributes: Any) -> str:
        """Its id."""
        mail = {"emails": [{"value": f"{login}@parliament.example", "primary": True}]}
        content = {"schemas": [USER], "userName": login, "displayName": f"The {login}", **mail, **attributes}
        return str(self.ask("POST", "/Users", content)["id"])

    def group(self, *ids: str) -> str:
        """Its id."""
        members = [{"value": one} for one in ids]
        content = {"schemas": [GROUP], "displayName": "remote access", "members": members}
        return str(self.ask("POST", "/Groups", content)["id"])

    def members(self, group: str) -> set[str]:
        return {member["value"] for member in self.ask("GET", f"/Groups/{group}").get("members", [])}

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        with closing(httpx.Client(trust_env=False, verify=False)) as client:
            response = client.request(method, self.url + path, json=content, headers=headers)
        assert response.is_success, response.text
        return response.json() if response.content else None
