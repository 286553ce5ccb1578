"""Checks of the TLS files: readable, matching, chained to the CA, not expired, and the key not accessible to every user."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from wazuh_dfn.check.access import user_name, why_denied
from wazuh_dfn.check.certificate_text import check_validity, subject
from wazuh_dfn.check.findings import Finding, Level, failure, has_failure, info, ok, warning
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.producer_options import TlsFiles
from wazuh_dfn.kafka.tls_context import make_tls_contexts

_LONGEST_CHAIN = 10
_GET = "put the file from DFN-CERT there, in PEM format"


def check_certificates(files: TlsFiles) -> list[Finding]:
    """Check each file, then how they match, then whether OpenSSL accepts them."""
    findings: list[Finding] = []
    authorities = _load("ca", "dfn.dfn_ca", files.ca, x509.load_pem_x509_certificates, findings)
    chain = _load("certificate", "dfn.dfn_cert", files.certificate, x509.load_pem_x509_certificates, findings)
    key = _load("key", "dfn.dfn_key", files.key, partial(_load_key, password=files.key_password), findings)
    if files.ca is None:
        findings.append(info("ca", "dfn.dfn_ca is not set: the broker's certificate is verified with the CAs of this system"))
    if authorities:
        findings += _check_authorities(authorities)
    if chain:
        findings += _check_own(chain[0])
    if files.key is not None and key is not None:
        findings.append(_check_mode(files.key))
    if chain and key is not None:
        findings.append(_check_match(chain, key))
    if chain and authorities:
        findings.append(_check_chain(chain, authorities))
    if not has_failure(findings):
        findings += _check_openssl(files)
    return findings


def _load[T](check: str, name: str, path: Path | None, load: Callable[[bytes], T], findings: list[Finding]) -> T | None:
    """Read and parse a file. Append what is wrong with it to `findings` and return None then."""
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        findings.append(failure(check, f"{name} = {path}: the file does not exist", _GET))
        return None
    except OSError as error:
        remedy = _how_to_open(path) if isinstance(error, PermissionError) else _GET
        findings.append(failure(check, f"{name} = {path} cannot be read by {user_name()}: {error.strerror}", remedy))
        return None
    try:
        return load(data)
    except TypeError:
        remedy = f"set dfn.dfn_key_password, or remove the passphrase: openssl pkey -in {path} -out NEW"
        findings.append(failure(check, f"{name} = {path}: the key is encrypted with a passphrase", remedy))
    except _WrongPasswordError:
        findings.append(failure(check, f"{name} = {path}: cannot be decrypted with dfn.dfn_key_password", "correct dfn.dfn_key_password"))
    except (ValueError, UnsupportedAlgorithm):
        what = "key" if check == "key" else "certificate"
        findings.append(failure(check, f"{name} = {path}: the file does not contain a {what} in PEM format", _GET))
    return None


class _WrongPasswordError(Exception):
    """The configured passphrase does not open the key, as far as can be determined."""


def _load_key(data: bytes, password: str | None) -> PrivateKeyTypes:
    if password is None or b"ENCRYPTED" not in data:
        return load_pem_private_key(data, password=None)
    try:
        return load_pem_private_key(data, password.encode())
    except ValueError as error:
        raise _WrongPasswordError from error


def _how_to_open(path: Path) -> str:
    if all(os.access(folder, os.X_OK) for folder in path.parents):
        return f"make it readable for {user_name()}: chgrp wazuh-dfn {path} && chmod 640 {path}"
    return why_denied(path)


def _check_authorities(authorities: list[x509.Certificate]) -> list[Finding]:
    """Report the best result of the CA file's certificates. An expired one is normal if its successor is in the file too."""
    judged = [check_validity("ca", f"the CA {subject(each)}", each, "get the new CA's file from DFN-CERT") for each in authorities]
    for level in (Level.OK, Level.WARNING):
        good = [finding for finding in judged if finding.level is level]
        if good and len(judged) > 1:
            return [replace(good[0], text=f"{good[0].text} (one of {len(judged)} in dfn.dfn_ca)")]
        if good:
            return good
    return judged


def _check_own(certificate: x509.Certificate) -> list[Finding]:
    findings = [check_validity("certificate", f"our certificate {subject(certificate)}", certificate, "get a new one from DFN-CERT")]
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return findings
    if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        text = "our certificate is not a TLS client certificate (extended key usage), so brokers refuse it"
        findings.append(failure("certificate", text, "get one for client authentication from DFN-CERT"))
    return findings


def _check_mode(key: Path) -> Finding:
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & stat.S_IRWXO:
        text = f"the key {key} is accessible to every user of this machine (mode {mode:04o})"
        return failure("key-permissions", text, f"chmod o= {key}; if someone may have read it, ask DFN-CERT for a new one")
    return ok("key-permissions", f"the key is not accessible to other users (mode {mode:04o})")


def _check_match(chain: list[x509.Certificate], key: PrivateKeyTypes) -> Finding:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    wanted = key.public_key().public_bytes(*form)
    matching = [each.public_key().public_bytes(*form) == wanted for each in chain]
    if matching[0]:
        return ok("key", "the key belongs to our certificate")
    if any(matching):
        text = "the key belongs to a later certificate in dfn.dfn_cert, but it must belong to the first one"
        return failure("key", text, "put our own certificate first, then the intermediate certificates")
    return failure("key", "dfn.dfn_key is not the key of dfn.dfn_cert", "set dfn.dfn_key to the key that was created for this certificate")


def _check_chain(chain: list[x509.Certificate], authorities: list[x509.Certificate]) -> Finding:
    """Follow the signatures from our certificate, through the others in its file, to a certificate in the CA's file."""
    current = chain[0]
    for _ in range(_LONGEST_CHAIN):
        if current in authorities or any(_has_signed(each, current) for each in authorities):
            return ok(
                "certificate-chain",
                f"our certificate is signed by the CA of dfn.dfn_ca{'' if current is chain[0] else ', through intermediate certificates'}",
            )
        issuer = next((each for each in chain if each != current and _has_signed(each, current)), None)
        if issuer is None:
            break
        current = issuer
    return warning(
        "certificate-chain",
        f"our certificate does not chain to the CA of dfn.dfn_ca: {subject(current)} is signed by {current.issuer.rfc4514_string()}",
        "correct only if the broker trusts another CA for its clients; otherwise add the intermediate certificates to dfn.dfn_cert, or get the right CA file",
    )


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_openssl(files: TlsFiles) -> list[Finding]:
    try:
        make_tls_contexts(files)
    except BrokerUnavailableError as error:
        return [failure("tls-files", error.reason, _GET)]
    return []
