"""Sites are known by their certificates: verified always, by one's own authority if need be."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.jira.http.network import Route, _trusted, guarded_transport

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def authority(directory: Path, host: str) -> tuple[Path, Path]:
    """Certificate and key of *host*, which signs itself: its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{host} in {directory.name}")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = directory / f"{host}.pem", directory / f"{host}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


@asynccontextmanager
async def served(directory: Path, host: str) -> AsyncIterator[tuple[int, Path]]:
    """Port and certificate of a server that calls itself *host*."""
    certificate, secret = authority(directory, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], certificate


async def get(port: int, ca_file: Path | None) -> int:
    transport = guarded_transport(
        Route(allow_private=True, ca_file=str(ca_file) if ca_file else None)
    )
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get(f"https://localhost:{port}/")).status_code


async def test_who_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, "localhost") as (port, _):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await get(port, None)


async def test_an_authority_of_ones_own_vouches(tmp_path: Path) -> None:
    async with served(tmp_path, "localhost") as (port, certificate):
        assert await get(port, certificate) == 200


async def test_another_name_is_refused_whoever_vouches(tmp_path: Path) -> None:
    async with served(tmp_path, "elsewhere.example.org") as (port, certificate):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await get(port, certificate)


async def test_ones_own_authority_is_believed_beside_the_public_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private Data Center and a Cloud site in one installation."""
    for name in ("public", "private"):
        (tmp_path / name).mkdir()
    async with (
        served(tmp_path / "public", "localhost") as (cloud, public),
        served(tmp_path / "private", "localhost") as (datacenter, private),
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
        _trusted.cache_clear()
        try:
            assert await get(cloud, private) == 200
            assert await get(datacenter, private) == 200
        finally:
            _trusted.cache_clear()
