"""A certificate authority made on the spot, and TLS listeners whose certificates it has signed."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["authority", "listening", "server_context"]


def authority(folder: Path, name: str) -> Path:
    """The file of an authority's certificate; beside it a server's own for 127.0.0.1, signed by it, with its key."""
    key, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)

    def signed(subject: x509.Name, owner: ec.EllipticCurvePrivateKey, ca: bool) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(owner.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    file = folder / f"{name}.pem"
    file.write_bytes(signed(issuer, key, True))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"server of {name}")])
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}-server.pem").write_bytes(signed(subject, server, False) + server.private_bytes(*forms))
    return file


def server_context(ca: Path) -> ssl.SSLContext:
    """For a server whose certificate ``ca`` has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.with_name(f"{ca.stem}-server.pem"))
    return context


@contextlib.contextmanager
def listening(ca: Path) -> Iterator[tuple[int, list[bytes]]]:
    """A port that ends each conversation after its first words; these, of those whose handshake was finished."""
    words: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    stream, _ = listener.accept()
                    with stream, contextlib.suppress(OSError), server_context(ca).wrap_socket(stream, True) as secret:
                        words.append(secret.recv(64))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], words
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
