# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing an archive on the host where its secrets were born: with age for a public key, or as ansible-vault does.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import tempfile
import typing as t
from binascii import Error as HexError
from binascii import hexlify, unhexlify
from contextlib import ExitStack, contextmanager, suppress

from .._base.errors import FedopsError

AGE, VAULT = "age", "vault"
METHODS = (AGE, VAULT)

_HEADER = b"$ANSIBLE_VAULT;1.1;AES256"
_LINE = 80
_ROUNDS, _KEY, _IV = 10000, 32, 16


class SealError(FedopsError):
    """An archive cannot be sealed or opened; the message says why and what to do."""


class Seal(t.NamedTuple):
    """How an archive is sealed: for whom, or with what password. Only what the step at hand needs is there."""

    method: str
    recipients: t.Sequence[str] = ()
    identity: str = ""
    password: str = ""

    @contextmanager
    def writing(self, path: str) -> t.Iterator[t.IO[bytes]]:
        """Give a stream; what is written to it lies sealed in the file when all went well, and nowhere otherwise."""
        self._expect(
            self.recipients if self.method == AGE else self.password, "recipients" if self.method == AGE else "password"
        )
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".sealing-")
        try:
            with open(descriptor, "wb") as target:
                writer = self._age_writing if self.method == AGE else self._vault_writing
                with ExitStack() as stack:
                    yield stack.enter_context(writer(target))
                target.flush()
                os.fsync(target.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    @contextmanager
    def reading(self, path: str) -> t.Iterator[t.IO[bytes]]:
        """Give the stream that was sealed. Trust it only when the block has ended: a cut is seen at the end."""
        self._expect(
            self.identity if self.method == AGE else self.password, "identity" if self.method == AGE else "password"
        )
        if self.method == VAULT:
            with open(path, "rb") as source, tempfile.TemporaryFile() as stream:
                stream.write(vault_open(source.read(), self.password))
                stream.seek(0)
                yield stream
            return
        with _age(["age", "--decrypt", "--identity", "-", path], subprocess.PIPE) as process:
            question, answer, said = _pipe(process.stdin), _pipe(process.stdout), _pipe(process.stderr)
            with suppress(BrokenPipeError):
                question.write(self.identity.encode() + b"\n")
                question.close()
            try:
                yield answer
                _drain(answer)  # what a reader left: the verdict comes after all of it
            except Exception as error:
                # Of what is no archive age knows better why, once it could say all of it.
                _drain(answer)
                if process.wait():
                    raise SealError(f"{path} cannot be opened: {_first_line(said.read())}.") from error
                raise
            errors = said.read()
        if process.returncode:
            raise SealError(f"{path} cannot be opened: {_first_line(errors)}.")

    def _expect(self, value: t.Any, name: str) -> None:
        if self.method not in METHODS:
            raise SealError(
                f"method is {self.method!r} but must be one of {', '.join(METHODS)}: nothing is kept in plain text."
            )
        if not value:
            raise SealError(f"method is {self.method}, which needs {name}. Nothing is kept in plain text.")

    @contextmanager
    def _age_writing(self, target: t.IO[bytes]) -> t.Iterator[t.IO[bytes]]:
        command = ["age", "--encrypt"]
        for recipient in self.recipients:
            command += ["--recipient", recipient]
        with _age(command, target) as process:
            content, said = _pipe(process.stdin), _pipe(process.stderr)
            with suppress(BrokenPipeError):  # it has refused a recipient, and says so
                yield content
                content.close()
            errors = said.read()
        if process.returncode:
            raise SealError(f"age cannot seal the archive: {_first_line(errors)}.")

    @contextmanager
    def _vault_writing(self, target: t.IO[bytes]) -> t.Iterator[t.IO[bytes]]:
        with tempfile.TemporaryFile() as stream:
            yield stream
            stream.seek(0)
            target.write(vault_seal(stream.read(), self.password))


def vault_seal(content: bytes, password: str) -> bytes:
    """Return what C(ansible-vault) makes of a content; it opens it again."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt = os.urandom(32)
    key, mac_key, counter = _vault_keys(password, salt)
    padding = 16 - len(content) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    secret = encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()
    digest = hmac.new(mac_key, secret, hashlib.sha256).hexdigest().encode()
    text = hexlify(b"\n".join([hexlify(salt), digest, hexlify(secret)]))
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return b"\n".join([_HEADER, *lines, b""])


def vault_open(text: bytes, password: str) -> bytes:
    """Return the content of a file of C(ansible-vault)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    header, dummy, body = text.partition(b"\n")
    if header.strip() != _HEADER:
        raise SealError("The archive is not one of ansible-vault.")
    try:
        salt, digest, secret = (unhexlify(part) for part in unhexlify(b"".join(body.split())).split(b"\n"))
    except (HexError, ValueError):
        raise SealError("The archive is damaged: it is not what ansible-vault writes.") from None
    key, mac_key, counter = _vault_keys(password, salt)
    if not hmac.compare_digest(hmac.new(mac_key, secret, hashlib.sha256).digest(), digest):
        raise SealError("The archive cannot be opened: another password has sealed it, or it is damaged.")
    decryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    content = decryptor.update(secret) + decryptor.finalize()
    return content[: -content[-1]]


def _vault_keys(password: str, salt: bytes) -> tuple[bytes, bytes, bytes]:
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS, 2 * _KEY + _IV)
    return derived[:_KEY], derived[_KEY : 2 * _KEY], derived[2 * _KEY :]


def _age(command: list[str], stdout: t.IO[bytes] | int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)
    except OSError as error:
        raise SealError(f"age cannot be started: {error.strerror}. Install the package age.") from error


def _pipe(stream: t.IO[bytes] | None) -> t.IO[bytes]:
    """Return one of the ends that C(_age) has asked for: those are there."""
    return t.cast("t.IO[bytes]", stream)


def _drain(stream: t.IO[bytes]) -> None:
    for dummy in iter(lambda: stream.read(1 << 20), b""):
        pass


def _first_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines() or ["it has failed without a word"]
    return lines[0].replace("age: error: ", "").rstrip(".")
