"""TLS settings of both planes, from three PEM files.

Peers authenticate each other (mutual TLS, 1.2 or newer): a certificate signed by the configured CA
is the right to join, so use a CA of the cluster's own. Host names are not compared: a node may be
reached through a proxy or under another address, and who it is, HELLO says and the member table
checks. Certificates therefore need both extended key usages, server and client, or none.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path


class TlsError(Exception):
    """The files do not make a usable TLS set-up; the text names the file."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files."""

    ca: str
    """Certificates of the authority that both sides must be signed by."""
    cert: str
    """This node's certificate, intermediate ones behind it."""
    key: str
    """Its private key, not encrypted."""


@dataclass(frozen=True, slots=True)
class TlsPem:
    """The files' content, as gRPC's credentials want it."""

    ca: bytes
    cert: bytes
    key: bytes


def read_pem(files: TlsFiles) -> TlsPem:
    """Return the content of all three, checked to fit together. TlsError."""
    server_context(files)  # gRPC itself would report a wrong pair only as failed handshakes
    return _read(files)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context to accept peers with; one without a certificate of the CA is refused."""
    context = _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)
    context.num_tickets = 0  # connections last; nothing is to flow backwards for resumption
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context to dial peers with."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), files)


def _loaded(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    context.check_hostname = False  # the CA decides, see above
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _read(files)
    try:
        context.load_verify_locations(files.ca)
    except ssl.SSLError as error:
        raise TlsError(f"TLS ca file {files.ca} holds no usable certificate: {error}") from error
    try:
        # A prompt for a password would hang a server without a terminal.
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(
            f"TLS cert file {files.cert} and key file {files.key} do not fit: {error}"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; give an unencrypted one")


def _read(files: TlsFiles) -> TlsPem:
    return TlsPem(
        ca=_file("ca", files.ca), cert=_file("cert", files.cert), key=_file("key", files.key)
    )


def _file(what: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TlsError(f"TLS {what} file {path} cannot be read: {error.strerror}") from error
