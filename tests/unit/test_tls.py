"""TLS settings: what the contexts demand, and errors that name the file."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from kvraft.tls import TlsError, TlsFiles, client_context, read_pem, server_context


def write(authority: trustme.CA, directory: Path, prefix: str) -> TlsFiles:
    issued = authority.issue_cert("n1")
    files = TlsFiles(*(str(directory / f"{prefix}-{what}.pem") for what in ("ca", "cert", "key")))
    authority.cert_pem.write_to_path(files.ca)
    issued.cert_chain_pems[0].write_to_path(files.cert)
    issued.private_key_pem.write_to_path(files.key)
    return files


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return write(trustme.CA(), tmp_path, "a")


@pytest.mark.parametrize("make", [server_context, client_context])
def test_both_sides_demand_a_certificate_of_the_authority_and_tls_1_2(files, make):
    context = make(files)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not context.check_hostname
    assert len(context.get_ca_certs()) == 1, "the configured authority and no other"


def test_pem_is_the_content_of_the_files(files):
    pem = read_pem(files)
    assert (pem.ca, pem.cert, pem.key) == tuple(
        Path(path).read_bytes() for path in (files.ca, files.cert, files.key)
    )


@pytest.mark.parametrize("what", ["ca", "cert", "key"])
@pytest.mark.parametrize("use", [read_pem, server_context, client_context])
def test_a_missing_file_is_named(files, what, use):
    broken = replace(files, **{what: "/nowhere/x.pem"})
    with pytest.raises(
        TlsError, match=f"TLS {what} file /nowhere/x.pem cannot be read: No such file"
    ):
        use(broken)


@pytest.mark.parametrize("what", ["ca", "cert", "key"])
def test_garbage_is_named(files, what):
    path = getattr(files, what)
    Path(path).write_text("not PEM")
    with pytest.raises(TlsError, match=path):
        read_pem(files)


def test_a_key_of_another_certificate_is_refused(files, tmp_path):
    other = write(trustme.CA(), tmp_path, "b")
    with pytest.raises(TlsError, match=rf"{files.cert} and key file {other.key} do not fit"):
        read_pem(replace(files, key=other.key))


def test_an_encrypted_key_is_refused_without_a_prompt(files):
    from cryptography.hazmat.primitives import serialization as pem  # noqa: PLC0415 - of trustme

    key = pem.load_pem_private_key(Path(files.key).read_bytes(), None)
    Path(files.key).write_bytes(
        key.private_bytes(
            pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"secret")
        )
    )
    with pytest.raises(TlsError, match="the key is encrypted"):
        read_pem(files)
