"""Keys and signatures: OpenSSH takes them, a change is found, and a private key stands in no repr and no error."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from runbooks.exports.signing import (
    BadKeyError,
    BadSignatureError,
    allowed_signers,
    fingerprint,
    make_key,
    public_line,
    sign,
    verify,
)

KEY, OTHER = make_key(), make_key()
DATA = b"What is signed\n"
SIGNATURE = sign(KEY.private, DATA)


def ssh_keygen(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    assert program is not None, "openssh-client must be installed to run this test"
    return subprocess.run([program, *arguments], input=data, capture_output=True, timeout=30, check=False)


def ask(folder: Path, data: bytes, signature: str, signers: str, namespace: str = "ir-portal") -> bool:
    for name, text in (("signers", signers), ("data.sig", signature)):
        (folder / name).write_text(text)
    about = ("-f", str(folder / "signers"), "-I", "ir-portal", "-n", namespace, "-s", str(folder / "data.sig"))
    return ssh_keygen("-Y", "verify", *about, data=data).returncode == 0


def test_openssh_accepts_the_signature_and_refuses_a_changed_one(tmp_path: Path) -> None:
    signers = allowed_signers([OTHER.public, KEY.public])
    assert ask(tmp_path, DATA, SIGNATURE, signers)
    assert not ask(tmp_path, DATA + b"!", SIGNATURE, signers)
    assert not ask(tmp_path, DATA, sign(OTHER.private, b"other"), signers)
    assert not ask(tmp_path, DATA, SIGNATURE, allowed_signers([OTHER.public]))
    assert not ask(tmp_path, DATA, SIGNATURE, signers, namespace="file")
    middle = len(SIGNATURE) // 2
    assert not ask(tmp_path, DATA, SIGNATURE[:middle] + "AAAA" + SIGNATURE[middle + 4 :], signers)


def test_openssh_knows_the_key_by_the_same_fingerprint(tmp_path: Path) -> None:
    private = tmp_path / "key"
    private.write_text(KEY.private)
    private.chmod(0o600)
    assert ssh_keygen("-l", "-f", str(private)).stdout.split()[1].decode() == fingerprint(KEY.public)
    assert ssh_keygen("-y", "-f", str(private)).stdout.decode().split()[:2] == KEY.public.split()


def test_what_openssh_signs_we_accept(tmp_path: Path) -> None:
    private = tmp_path / "key"
    private.write_text(KEY.private)
    private.chmod(0o600)
    made = ssh_keygen("-Y", "sign", "-f", str(private), "-n", "ir-portal", data=DATA).stdout.decode()
    assert (made, verify([KEY.public], DATA, made)) == (SIGNATURE, fingerprint(KEY.public))


def test_a_good_signature_names_its_key_and_any_other_is_refused() -> None:
    assert verify([OTHER.public, KEY.public], DATA, SIGNATURE) == fingerprint(KEY.public)
    refused = [
        ([OTHER.public], DATA, SIGNATURE, "ir-portal"),
        ([KEY.public], DATA + b"!", SIGNATURE, "ir-portal"),
        ([KEY.public], DATA, SIGNATURE, "file"),
        ([KEY.public], DATA, sign(KEY.private, DATA, "file"), "ir-portal"),
        ([KEY.public], DATA, "", "ir-portal"),
        ([KEY.public], DATA, SIGNATURE.replace("BEGIN SSH", "BEGIN PGP"), "ir-portal"),
        ([], DATA, SIGNATURE, "ir-portal"),
    ]
    for publics, data, signature, namespace in refused:
        with pytest.raises(BadSignatureError):
            verify(publics, data, signature, namespace)


def test_every_changed_letter_of_a_signature_is_found() -> None:
    for place in range(len(SIGNATURE) - 1):
        if SIGNATURE[place] != "\n":
            changed = SIGNATURE[:place] + ("A" if SIGNATURE[place] != "A" else "B") + SIGNATURE[place + 1 :]
            with pytest.raises(BadSignatureError):
                verify([KEY.public], DATA, changed)


def test_a_private_key_is_not_told() -> None:
    secret = KEY.private.splitlines()[2]
    assert secret not in repr(KEY)
    for broken in (KEY.private.replace("OPENSSH", "OPEN SSH"), KEY.private[:-80], secret, ""):
        with pytest.raises(BadKeyError) as caught:
            public_line(broken)
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None


def test_only_keys_of_our_kind_are_taken() -> None:
    curve = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(BadKeyError):
        sign(curve.decode(), DATA)
    for public in ("", "ssh-ed25519", "ssh-rsa AAAA", "ssh-ed25519 AAAA", KEY.public[:-4]):
        with pytest.raises(BadKeyError):
            fingerprint(public)
    assert public_line(KEY.private) == KEY.public
