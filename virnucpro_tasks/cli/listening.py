"""The address at which a command is to listen."""

from __future__ import annotations

import os
import socket
from errno import EACCES, EADDRINUSE

from virnucpro_tasks.errors import SettingsError


def require_free_port(address: str, port: int, *, program: str) -> None:
    """Raise SettingsError if `program` cannot listen there: another one does, or the address is not of this host."""
    try:
        for family, kind, protocol, _, place in socket.getaddrinfo(
            address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(place)
    except socket.gaierror as error:
        raise SettingsError(
            f"--address {address}: {error.strerror}", hint="127.0.0.1, or an address of this host"
        ) from None
    except OSError as error:
        is_the_port = error.errno in (EADDRINUSE, EACCES)
        raise SettingsError(
            f"{program} cannot listen on {address}, port {port}: {os.strerror(error.errno or 0)}",
            hint="give another port with --port" if is_the_port else "give an address of this host with --address",
        ) from None
