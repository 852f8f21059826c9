"""A time-stamping authority of our own, by `openssl ts -reply`."""

import subprocess
from pathlib import Path

from tests.connectors.served import Asked, Said

# Without `certs`: with it the client's library cannot read the answer.
CONFIGURATION = """
[ tsa ]
default_tsa = ours
[ ours ]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.4146.2.3
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
[ extensions ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
"""


class Authority:
    """`answer` is for tests.connectors.served; `ca` is the file of the certificate to trust."""

    def __init__(self, folder: Path, name: str = "Heron") -> None:
        self.folder = folder
        folder.mkdir()
        self.ca = folder / "ca.pem"
        self.configuration = folder / "openssl.cnf"
        self.configuration.write_text(CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")
        self._certify(name)
        self.asked: list[Asked] = []

    def _certify(self, name: str) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        root = ["-x509", "-days", "30", "-subj", f"/CN={name} root", "-keyout", "ca.key", "-out", "ca.pem"]
        self._openssl("req", *key, *root)
        self._openssl("req", *key, "-subj", f"/CN={name} stamps", "-keyout", "tsa.key", "-out", "tsa.csr")
        extensions = ["-extfile", "openssl.cnf", "-extensions", "extensions"]
        signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "20", "-out", "tsa.pem"]
        self._openssl("x509", "-req", "-in", "tsa.csr", *signer, *extensions)

    def _openssl(self, *arguments: str) -> bytes:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query.tsq").write_bytes(query)
        self._openssl("ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr")
        return (self.folder / "reply.tsr").read_bytes()

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return Said(200, self.reply(asked.body), {"Content-Type": "application/timestamp-reply"})
