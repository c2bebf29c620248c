# SPDX-License-Identifier: BSD-3-Clause
"""TCP between two hosts, by sockets of ours in their networks: no program to start, and errors as numbers."""

import contextlib
import errno
import socket
import time


@contextlib.contextmanager
def listening(host, port):
    """A listening TCP socket of a host, for as long as the block lasts."""
    server = host.inside(socket.create_server, ("0.0.0.0", port))
    server.settimeout(10)
    with server:
        yield server


def connect(host, address, port, timeout_s=5.0, source=None):
    """Connects, from the host's address source if one is given; returns the socket, or the error's number (ETIMEDOUT
    after the time)."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((address, port))
        failed = late_error(sock)
    except TimeoutError:
        failed = errno.ETIMEDOUT
    except OSError as error:
        failed = error.errno
    if failed:
        sock.close()
        return failed
    return sock


def late_error(sock, within_s=2.0):
    """Why a socket that is said to be connected is not, or 0 if it is.

    Linux ends a refused TCP socket in steps, and on two processors a program that is woken by the first of them may
    read SO_ERROR before the last has written it: connect() then seems to have succeeded (seen with Linux 6.18, 3 of
    10,000 times). Only a socket that has a peer is connected.
    """
    end = time.monotonic() + within_s
    while True:
        try:
            sock.getpeername()
            return 0
        except OSError as error:
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or error.errno
        if failed != errno.ENOTCONN or time.monotonic() > end:
            return failed


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
