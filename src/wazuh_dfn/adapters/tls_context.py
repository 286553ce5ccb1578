"""TLS settings made of the configured files; what is wrong with a file is said in one line that names its key in the configuration."""

from __future__ import annotations

import ssl
from pathlib import Path

from wazuh_dfn.adapters.kafka_options import TlsFiles
from wazuh_dfn.errors import BrokerUnavailableError


class _KeyIsEncryptedError(Exception):
    """OpenSSL asked for a passphrase."""


def make_tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Read the files as they are now. It blocks on the disk: call it in a thread.

    TLS 1.2 at least, the broker's certificate and its host name verified.

    Raises:
        BrokerUnavailableError: a file can't be read or used; mending it is up to the operator.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    if files.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _check_readable("dfn.dfn_ca", files.ca)
        try:
            context.load_verify_locations(cafile=files.ca)
        except (OSError, ValueError) as error:
            raise _unusable("dfn.dfn_ca", files.ca, "it holds no certificate in PEM format") from error
    if files.certificate is not None:
        _load_client_certificate(context, files.certificate, files.key)
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    _check_readable("dfn.dfn_cert", certificate)
    if key is not None:
        _check_readable("dfn.dfn_key", key)

    def refuse_passphrase() -> str:
        """Keep OpenSSL from asking for it on the terminal."""
        raise _KeyIsEncryptedError

    try:
        context.load_cert_chain(certificate, key, password=refuse_passphrase)
    except _KeyIsEncryptedError as error:
        raise _unusable("dfn.dfn_key", key or certificate, "the key is encrypted with a passphrase; store it without") from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _unusable("dfn.dfn_key", key or certificate, f"it is not the key of the certificate {certificate}") from error
        if b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
            raise _unusable("dfn.dfn_cert", certificate, "it holds no certificate in PEM format") from error
        what = f"one of {certificate} and {key or certificate} is damaged or holds no PEM data ({error.reason or error})"
        raise _unusable("dfn.dfn_key", key or certificate, what) from error
    except (OSError, ValueError) as error:
        raise _unusable("dfn.dfn_cert", certificate, str(error)) from error


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        text = f"cannot read certificate file: {name} = {path}: {error.strerror or error}"
        raise BrokerUnavailableError(text, needs_operator=True) from error


def _unusable(name: str, path: Path, why: str) -> BrokerUnavailableError:
    return BrokerUnavailableError(f"cannot use certificate file: {name} = {path}: {why}", needs_operator=True)
