"""TLS contexts made from the configured files. Errors name the configuration key of the file in one line."""

from __future__ import annotations

import _ssl
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wazuh_dfn.errors import CertificateFileError
from wazuh_dfn.kafka.certificate_expiry import CertificateSeen
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.producer_options import TlsFiles

_OUR_KEY = "dfn.dfn_key"
_CRL = b"-----BEGIN X509 CRL-----"


class _KeyIsEncryptedError(Exception):
    """OpenSSL asked for a passphrase."""


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """Two contexts made from the same files.

    Attributes:
        verifying: Connects to a broker and verifies its certificate.
        unverifying: Shows what a broker presents, trusted or not.
    """

    verifying: ssl.SSLContext
    unverifying: ssl.SSLContext
    trusted: str
    """Who must have signed the broker's certificate, in words."""
    certificates: tuple[CertificateSeen, ...]
    """Our own certificate and the CA's."""

    @property
    def expires_at(self) -> float | None:
        """When our own certificate expires, in seconds since the epoch. None without one, or if it cannot be parsed."""
        return next((each.expires_at for each in self.certificates if each.whose == "client"), None)


def make_tls_contexts(files: TlsFiles) -> TlsContexts:
    """Read the files as they are now. This blocks on the disk, so call it in a thread.

    The contexts require TLS 1.2 or newer. The verifying context checks the broker's certificate and its host name, which must be a
    subjectAltName (RFC 6125, RFC 9525). Each certificate in `dfn.dfn_ca` is trusted by itself, even if the file does not contain the chain
    to a root.

    Raises:
        BrokerUnavailableError: A file cannot be read or used, and the operator has to fix it.
    """
    try:
        verifying, unverifying = _verifying(files), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverifying.check_hostname = False
        unverifying.verify_mode = ssl.CERT_NONE
        for context in (verifying, unverifying):
            if files.certificate is not None:
                load_own_certificate(context, files.certificate, files.key, names=("dfn.dfn_cert", _OUR_KEY), password=files.key_password)
    except CertificateFileError as error:
        raise BrokerUnavailableError(Fault(FaultCode.TLS_FILES, str(error))) from error
    trusted = "the configured CA (dfn.dfn_ca)" if files.ca is not None else "a CA that this system trusts (dfn.dfn_ca is not set)"
    return TlsContexts(verifying, unverifying, trusted, _certificates(files))


def _certificates(files: TlsFiles) -> tuple[CertificateSeen, ...]:
    """Return when our certificate and the CA's expire. Certificates that cannot be parsed are left out.

    Of several CA certificates the latest expiry counts. The `ssl` module parses them, because another library would take 9 MB more memory
    in the daemon.
    """
    found: list[CertificateSeen] = []
    with suppress(OSError, ValueError, KeyError):
        if files.certificate is not None:
            decoded = _ssl._test_decode_cert(str(files.certificate))  # type: ignore[attr-defined]  # noqa: SLF001 - ssl has no other way
            found.append(CertificateSeen("client", ssl.cert_time_to_seconds(decoded["notAfter"])))
    with suppress(OSError, ValueError, KeyError):
        if files.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cafile=files.ca)
            found.append(CertificateSeen("ca", max(ssl.cert_time_to_seconds(str(each["notAfter"])) for each in context.get_ca_certs())))
    return tuple(found)


def _verifying(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = True
    context.hostname_checks_common_name = False
    context.verify_mode = ssl.CERT_REQUIRED
    if files.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _check_readable("dfn.dfn_ca", files.ca)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cafile=files.ca)
        except (OSError, ValueError) as error:
            raise _unusable("dfn.dfn_ca", files.ca, "the file does not contain a certificate in PEM format") from error
    _load_revocations(context, files)
    return context


def _load_revocations(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Refuse revoked broker certificates if a revocation list is present, in a separate file or in the CA's file."""
    if files.revocations is not None:
        _check_readable("dfn.dfn_crl", files.revocations)
        try:
            context.load_verify_locations(cafile=files.revocations)
        except (OSError, ValueError) as error:
            raise _unusable("dfn.dfn_crl", files.revocations, "the file does not contain a revocation list in PEM format") from error
    if files.revocations is not None or (files.ca is not None and _CRL in files.ca.read_bytes()):
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def load_own_certificate(
    context: ssl.SSLContext, certificate: Path, key: Path | None, *, names: tuple[str, str], password: str | None = None
) -> None:
    """Load our certificate into the context.

    Args:
        context: The context to load it into.
        certificate: The certificate file.
        key: The key file, or None if the key is in the certificate file.
        names: Configuration keys of the two files, for error texts.
        password: The passphrase of the key.

    Raises:
        CertificateFileError: A file cannot be read or used.
    """
    certificate_name, key_name = names
    _check_readable(certificate_name, certificate)
    if key is not None:
        _check_readable(key_name, key)

    def refuse_passphrase() -> str:
        """Keep OpenSSL from asking for the passphrase on the terminal."""
        raise _KeyIsEncryptedError

    try:
        context.load_cert_chain(certificate, key, password=refuse_passphrase if password is None else password)
    except _KeyIsEncryptedError as error:
        how = "set dfn.dfn_key_password, or remove the passphrase" if key_name == _OUR_KEY else "remove the passphrase"
        raise _unusable(key_name, key or certificate, f"the key is encrypted with a passphrase; {how}") from error
    except ssl.SSLError as error:
        if password is not None and error.reason is None and b"ENCRYPTED" in (key or certificate).read_bytes():
            raise _unusable(key_name, key or certificate, "cannot be decrypted with dfn.dfn_key_password") from error
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _unusable(key_name, key or certificate, f"it is not the key of the certificate {certificate}") from error
        if b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
            raise _unusable(certificate_name, certificate, "the file does not contain a certificate in PEM format") from error
        what = f"one of {certificate} and {key or certificate} is damaged or does not contain PEM data ({error.reason or error})"
        raise _unusable(key_name, key or certificate, what) from error
    except (OSError, ValueError) as error:
        raise _unusable(certificate_name, certificate, str(error)) from error


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        text = f"cannot read certificate file: {name} = {path}: {error.strerror or error}"
        raise CertificateFileError(text) from error


def _unusable(name: str, path: Path, why: str) -> CertificateFileError:
    return CertificateFileError(f"cannot use certificate file: {name} = {path}: {why}")
