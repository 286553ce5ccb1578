"""Certificates for tests: two authorities, a server's and a client's, and each of them in the ways that they can be wrong."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (with its chain) and its key, as PEM files."""

    certificate: Path
    key: Path

    def key_as_pkcs8(self) -> bytes:
        """Return the key in the only form that Java reads."""
        key = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(*form)


@dataclass(frozen=True, slots=True)
class Certificates:
    """All the files; those without a remark are good for each other."""

    folder: Path
    ca: Path
    other_ca: Path
    """Has signed only `untrusted_client`."""
    server: Pair
    expired_server: Pair
    client: Pair
    expired_client: Pair
    untrusted_client: Pair
    host: str
    authority: trustme.CA
    """Whose certificate is `ca`."""

    def server_context(self, pair: Pair | None = None, *, verify_client: bool = True) -> ssl.SSLContext:
        """Return what a server needs: its certificate, and the demand for one of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = pair or self.server
        context.load_cert_chain(pair.certificate, pair.key)
        if verify_client:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Return what a reading test client needs."""
        context = ssl.create_default_context(cafile=str(self.ca))
        pair = pair or self.client
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    def client_named(self, common_name: str, name: str | None = None, not_after: dt.datetime | None = None) -> Pair:
        """Return a client's certificate with this CN, from which a broker takes the user's name.

        The files are named after `name`, or else after the CN. Files of that name are replaced.
        """
        leaf = self.authority.issue_cert(f"{common_name}@example.org", common_name=common_name, not_after=not_after)
        return _write(self.folder, f"client-{name or common_name}", leaf)

    def another_server(self, name: str, authority: trustme.CA | None = None) -> Pair:
        """Return a new certificate for the server, signed by `ca` or by this authority."""
        return _write(self.folder, name, (authority or self.authority).issue_cert(self.host))


def expired_copy(authority: trustme.CA, issuer: trustme.CA) -> bytes:
    """Return the certificate (PEM) that the issuer gave the authority as it would be had it run out yesterday."""
    former = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    builder = x509.CertificateBuilder(former.issuer, former.subject, former.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(YESTERDAY - dt.timedelta(days=9)).not_valid_after(YESTERDAY)
    for extension in former.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(_key_of(issuer), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revocation_list(authority: trustme.CA, *revoked: Path, next_update: dt.datetime | None = None) -> bytes:
    """Return the authority's list (PEM), with these certificates on it."""
    now = dt.datetime.now(dt.UTC)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(YESTERDAY - dt.timedelta(days=9))
    builder = builder.next_update(next_update or now + dt.timedelta(days=1))
    for path in revoked:
        number = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(number).revocation_date(YESTERDAY).build())
    return builder.sign(_key_of(authority), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_of(authority: trustme.CA) -> Any:
    return serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)


def _write(folder: Path, name: str, leaf: trustme.LeafCert) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")
    pair.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(pair.key)
    return pair


def make_certificates(folder: Path, host: str = "localhost") -> Certificates:
    """Write everything into `folder`; the server's certificate is good for `host` alone."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, other = trustme.CA(), trustme.CA()

    def write_ca(name: str, authority: trustme.CA) -> Path:
        path = folder / f"{name}.pem"
        authority.cert_pem.write_to_path(path)
        return path

    def write(name: str, leaf: trustme.LeafCert) -> Pair:
        return _write(folder, name, leaf)

    return Certificates(
        folder=folder,
        ca=write_ca("ca", ca),
        other_ca=write_ca("other-ca", other),
        server=write("server", ca.issue_cert(host)),
        expired_server=write("expired-server", ca.issue_cert(host, not_after=YESTERDAY)),
        client=write("client", ca.issue_cert("client@example.org")),
        expired_client=write("expired-client", ca.issue_cert("client@example.org", not_after=YESTERDAY)),
        untrusted_client=write("untrusted-client", other.issue_cert("client@example.org")),
        host=host,
        authority=ca,
    )
