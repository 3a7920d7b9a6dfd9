"""TLS for tests: certificates of an authority of our own, and a front for a server that was built without."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme
from deploy.redis_server import Certificate, free_port, started_redis

BLOCK_BYTES = 65_536


def made_certificate(folder: Path) -> Certificate:
    """For 127.0.0.1, signed by a new authority."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Certificate(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    issued.private_key_pem.write_to_path(files.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.chain, append=True)
    authority.cert_pem.write_to_path(files.authority)
    return files


@contextmanager
def started_tls_redis(folder: Path, *, server: Path, certificate: Certificate) -> Iterator[str]:
    """The server with TLS of its own if it has that, else behind a front; yields its address."""
    port = free_port()
    if b"libssl" in server.read_bytes():
        with started_redis(folder, port, server=server, certificate=certificate) as address:
            yield address
    else:
        plain = free_port()
        with started_redis(folder, plain, server=server), _front(port, plain, certificate):
            yield f"127.0.0.1:{port}/0"


@contextmanager
def _front(port: int, plain: int, certificate: Certificate) -> Iterator[None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                writer.write(block)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", plain)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", port, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
