"""A real OpenLDAP server with ppolicy, on a port of its own, holding the fictitious institution.

Where the Debian package slapd is missing, its tests are left out and one line says so; with REQUIRE_SLAPD=1 that is
an error.
"""

import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap3

SUFFIX = "dc=parliament,dc=example"
ADMIN, PORTAL = f"cn=admin,{SUFFIX}", f"cn=portal,{SUFFIX}"
GROUP, POLICY = f"cn=remote-access,ou=groups,{SUFFIX}", f"cn=default,ou=policies,{SUFFIX}"
PASSWORD = "only-for-tests"
MODULES = Path("/usr/lib/ldap")
SCHEMAS = Path("/etc/ldap/schema")
MISSING = "no slapd was found; get it with: apt-get install slapd"
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])

CONFIGURATION = f"""
include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
moduleload ppolicy
sizelimit unlimited
database mdb
maxsize 67108864
suffix "{SUFFIX}"
rootdn "{ADMIN}"
rootpw {PASSWORD}
directory FOLDER/db
dbnosync
index objectClass,uid,mail,pwdAccountLockedTime eq
overlay ppolicy
ppolicy_default "{POLICY}"
ppolicy_use_lockout
limits dn.exact="{PORTAL}" size=SIZE
access to attrs=userPassword by dn.exact="{PORTAL}" write by anonymous auth by self write by * none
access to attrs=pwdAccountLockedTime,pwdReset by dn.exact="{PORTAL}" RIGHT by * read
access to dn.exact="{GROUP}" attrs=member by dn.exact="{PORTAL}" write by * read
access to * by dn.exact="{PORTAL}" read by * read
"""
ENTRIES = f"""
dn: {POLICY}
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 3
pwdMustChange: TRUE

dn: {PORTAL}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: portal
userPassword: {PASSWORD}
"""


def find_slapd() -> str | None:
    return shutil.which("slapd", path=SEARCHED)


def load(folder: Path, ldif: Path) -> None:
    """Make a database of the institution in the folder, for servers to start from."""
    configure(folder)
    (folder / "db").mkdir()
    (folder / "more.ldif").write_text(ENTRIES)
    for file in (ldif, folder / "more.ldif"):
        command = [shutil.which("slapadd", path=SEARCHED), "-q", "-f", folder / "slapd.conf", "-l", file]
        subprocess.run(command, check=True, capture_output=True)


def configure(
    folder: Path, *, right: str = "manage", size: str = "unlimited", ppolicy: bool = True, tls: bool = False
) -> None:
    text = CONFIGURATION.replace("FOLDER", str(folder)).replace("RIGHT", right).replace("SIZE", size)
    if not ppolicy:
        text = "\n".join(line for line in text.splitlines() if "ppolicy_" not in line and "overlay" not in line)
    if tls:
        certificate = f"TLSCertificateFile {folder}/certificate.pem\nTLSCertificateKeyFile {folder}/key.pem\n"
        text = text.replace("database mdb", f"{certificate}database mdb")
    (folder / "slapd.conf").write_text(text)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Slapd:
    folder: Path
    port: int = field(default_factory=free_port)
    secure_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def secure_url(self) -> str:
        """Only when it is started with `tls`."""
        return f"ldaps://localhost:{self.secure_port}"

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def start(self, *, tells: bool = False, **configuration: Any) -> None:
        """`tells`: every operation is a line of slapd.log."""
        configure(self.folder, **configuration)
        listeners = f"{self.url} {self.secure_url}" if configuration.get("tls") else self.url
        command = [
            find_slapd() or "",
            "-d",
            "256" if tells else "0",
            "-h",
            listeners,
            "-f",
            str(self.folder / "slapd.conf"),
        ]
        with (self.folder / "slapd.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "slapd.log").read_text()
            assert time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _answers(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def changes(self, attribute: str) -> Counter[str]:
        """How often each entry was changed in this attribute, by DN, as the server itself wrote it down."""
        counted: Counter[str] = Counter()
        dn = ""
        for line in (self.folder / "slapd.log").read_text().splitlines():
            if " MOD dn=" in line:
                dn = line.partition('MOD dn="')[2].removesuffix('"')
            elif f" MOD attr={attribute}" in line:
                counted[dn] += 1
        return counted

    # An independent client, as the directory's own administrator

    def change(self, dn: str, **values: list[str]) -> None:
        with self._admin() as admin:
            changes = {name: [(ldap3.MODIFY_REPLACE, value)] for name, value in values.items()}
            assert admin.modify(dn, changes), admin.result

    def add(self, dn: str, classes: list[str], **values: list[str] | str) -> None:
        with self._admin() as admin:
            assert admin.add(dn, classes, values), admin.result

    def leave_group(self, login: str) -> None:
        with self._admin() as admin:
            assert admin.modify(GROUP, {"member": [(ldap3.MODIFY_DELETE, [dn_of(login)])]}), admin.result

    def values(self, dn: str, attribute: str) -> list[str]:
        with self._admin() as admin:
            assert admin.search(dn, "(objectClass=*)", ldap3.BASE, attributes=[attribute]), admin.result
            return [value.decode() for value in admin.response[0]["raw_attributes"].get(attribute, [])]

    def logins(self) -> list[str]:
        """Everybody's, in order."""
        lines = (self.folder / "directory.ldif").read_text(encoding="utf-8").splitlines()
        return sorted(line.removeprefix("uid: ") for line in lines if line.startswith("uid: "))

    def lets_in(self, dn: str, password: str) -> bool:
        connection = ldap3.Connection(ldap3.Server(self.url, get_info=ldap3.NONE), dn, password)
        allowed = bool(connection.bind())
        connection.unbind()
        return allowed

    @contextmanager
    def _admin(self) -> Iterator[ldap3.Connection]:
        connection = ldap3.Connection(ldap3.Server(self.url, get_info=ldap3.NONE), ADMIN, PASSWORD, auto_bind=True)
        yield connection
        connection.unbind()


def dn_of(login: str) -> str:
    return f"uid={login},ou=people,{SUFFIX}"
