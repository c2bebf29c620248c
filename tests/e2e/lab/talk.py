# SPDX-License-Identifier: BSD-3-Clause
"""TCP between two hosts, by sockets of ours in their networks: no program to start, and errors as numbers."""

import contextlib
import errno
import socket


@contextlib.contextmanager
def listening(host, port):
    """A listening TCP socket of a host, for as long as the block lasts."""
    server = host.inside(socket.create_server, ("0.0.0.0", port))
    server.settimeout(10)
    with server:
        yield server


def connect(host, address, port, timeout_s=5.0):
    """Connects; returns the socket, or the error's number (ETIMEDOUT after the time)."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    try:
        sock.connect((address, port))
        return sock
    except TimeoutError:
        sock.close()
        return errno.ETIMEDOUT
    except OSError as error:
        sock.close()
        return error.errno


def talks(source, target, address, port):
    """Whether a connection opens and carries bytes both ways."""
    with listening(target, port) as server:
        client = connect(source, address, port)
        if isinstance(client, int):
            return False
        with client, server.accept()[0] as accepted:
            client.sendall(b"there")
            assert accepted.recv(10) == b"there"
            accepted.sendall(b"and back")
            return client.recv(10) == b"and back"
