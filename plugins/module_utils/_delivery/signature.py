# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has packed a package: a signature, and a certificate of the federation's authority for the key that made it.

The key is made for one signature and then forgotten: none has to be kept, and none can be stolen. Its certificate may
sign code and nothing else, so that no key of a server, which has one of the same authority, can sign a package.
This module is private to the collection and may change at any time. It needs the library cryptography.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

from .._base.errors import FedopsError

if t.TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

LONGEST_CERTIFICATE = 1 << 16  # bytes
LONGEST_SIGNATURE = 1 << 10
_NAME = "Flower model package"
_EARLIER = timedelta(days=1)  # a certificate begins: clocks differ


class SignatureError(FedopsError):
    """A package cannot be signed, or its signature does not hold; the message says why, as the end of a sentence."""


class Signer:
    """The authority of the federation, as it signs packages."""

    def __init__(self, certificate: bytes, private_key: bytes, passphrase: str = "") -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        try:
            self._authority = x509.load_pem_x509_certificate(certificate)
            key = serialization.load_pem_private_key(private_key, passphrase.encode() if passphrase else None)
        except (ValueError, TypeError) as error:
            raise SignatureError(
                "the certificate or the private key of the authority cannot be opened. Is it a PEM file, and the"
                " passphrase that of the key?"
            ) from error
        self._key = t.cast("CertificateIssuerPrivateKeyTypes", key)
        if not _is_authority(self._authority) or _public(self._authority) != _public(self._key):
            raise SignatureError("the private key is not that of the certificate, or the certificate is no authority's")
        if not _is_valid(self._authority, datetime.now(timezone.utc)):
            raise SignatureError("the certificate of the authority is not valid at this time")

    def sign(self, digest: bytes) -> tuple[bytes, bytes]:
        """Return a signature of a SHA-256 and the certificate for it, in PEM, with a key of their own."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(key.public_key())
        return key.sign(digest, _algorithm()), certificate.public_bytes(serialization.Encoding.PEM)

    def _certify(self, key: t.Any) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        first, last = _times(self._authority)
        begin = max(datetime.now(timezone.utc) - _EARLIER, first)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only"), False)  # fmt: skip
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)]))
            .issuer_name(self._authority.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.KeyUsage(digital_signature=True, **usage), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), True)
        )
        own_hash = isinstance(self._key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
        return builder.sign(self._key, None if own_hash else hashes.SHA256())


def check_signature(
    digest: bytes, signature: bytes, certificate: bytes, authority: bytes, now: datetime | None = None
) -> None:
    """Raise SignatureError unless a key with a certificate of the authority has signed this SHA-256."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        trusted = x509.load_pem_x509_certificate(authority)
    except ValueError as error:
        raise SignatureError("the certificate of the authority cannot be read") from error
    try:
        signed = x509.load_pem_x509_certificate(certificate)
        key = signed.public_key()
        may_sign = _may_sign(signed)
        if signed.public_bytes(serialization.Encoding.PEM) != certificate:
            raise ValueError("PEM has room for what nobody has signed")
    except Exception as error:  # whatever such a file can lead to
        raise SignatureError("its certificate cannot be read") from error
    try:
        if not _is_authority(trusted):
            raise SignatureError("the certificate that is trusted is no authority's")
        _check_issued_by(signed, trusted)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
        raise SignatureError("its certificate is not of the authority that is trusted") from error
    moment = now or datetime.now(timezone.utc)
    if not (_is_valid(signed, moment) and _is_valid(trusted, moment)):
        raise SignatureError("its certificate is not valid at this time")
    if not may_sign or not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureError("its certificate is not one for packages")
    try:
        key.verify(signature, digest, _algorithm())
    except InvalidSignature as error:
        raise SignatureError("its signature is not of these bytes") from error


def _algorithm() -> t.Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    return ec.ECDSA(utils.Prehashed(hashes.SHA256()))


def _check_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> None:
    """Do what verify_directly_issued_by does: Debian 12 has a cryptography that lacks it."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if certificate.issuer != authority.subject:
        raise ValueError("it names another issuer")
    key, said = t.cast("t.Any", authority.public_key()), certificate.tbs_certificate_bytes
    hashing = certificate.signature_hash_algorithm
    how: list[t.Any] = []  # Ed25519 and Ed448 have one way
    if isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        if hashing is None:
            raise ValueError("it is signed in another way than the key of the authority signs")
        how = [ec.ECDSA(hashing)] if isinstance(key, ec.EllipticCurvePublicKey) else [padding.PKCS1v15(), hashing]
    key.verify(certificate.signature, said, *how)


def _is_valid(certificate: x509.Certificate, moment: datetime) -> bool:
    return _times(certificate)[0] <= moment <= _times(certificate)[1]


def _times(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Return from when to when a certificate is valid, by the names that any cryptography has for it."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    begin, end = certificate.not_valid_before, certificate.not_valid_after
    return begin.replace(tzinfo=timezone.utc), end.replace(tzinfo=timezone.utc)


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is for signing code, and for nothing else."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return list(usage) == [ExtendedKeyUsageOID.CODE_SIGNING] and not _is_authority(certificate)


def _public(one: t.Any) -> bytes:
    """Return the public key of a certificate or a private key."""
    from cryptography.hazmat.primitives import serialization

    return one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
