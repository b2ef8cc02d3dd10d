"""TLS for the client port, from files; what is wrong with them is said before the port opens."""

import ssl
from pathlib import Path
from typing import Protocol

import grpc


class CredentialsError(ValueError):
    """Certificates that cannot be used; one line that names the file."""


class CertificateFiles(Protocol):
    """PEM files: who may connect, what is shown to them, and its key."""

    @property
    def ca(self) -> Path:
        """Certificates of the authorities that clients must be signed by."""
        ...

    @property
    def cert(self) -> Path:
        """The chain shown to clients."""
        ...

    @property
    def key(self) -> Path:
        """Its private key."""
        ...


def server_credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    """Return credentials that demand a certificate of every client; CredentialsError on bad files.

    gRPC itself accepts any bytes here and fails each handshake later, without a reason.
    """
    ca, cert, key = (_read(path) for path in (files.ca, files.cert, files.key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.cert, files.key)
    except (ssl.SSLError, OSError) as error:
        raise CredentialsError(
            f"TLS: {files.cert} and {files.key} are no certificate and its key: {error}"
        ) from error
    try:
        context.load_verify_locations(files.ca)
    except (ssl.SSLError, OSError) as error:
        raise CredentialsError(f"TLS: {files.ca} holds no CA certificates: {error}") from error
    return grpc.ssl_server_credentials(
        [(key, cert)], root_certificates=ca, require_client_auth=True
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"TLS: cannot read {path}: {error.strerror}") from error
