# SPDX-License-Identifier: BSD-3-Clause
"""Who reaches whom: as the router prints it, and as packets find it."""

import contextlib
import re
import select
import socket
import time

LINE_TIME = re.compile(r"^\[ *\d+\.\d+\] ", re.MULTILINE)
PORT = 7000
SETTLE_S = 1.0  # how long something that must not come is waited for


def printed_matrix(console):
    """The matrix of the console's start: {(from, to): word}. "uplink" and "router" are among the ends."""
    columns, matrix = [], {}
    for line in LINE_TIME.sub("", console).splitlines():
        words = line.split()
        if words[:2] == ["reach", "from"]:  # many networks are printed in several blocks
            columns = words[4:]
        elif columns and line.startswith(" ") and len(words) == len(columns) + 1:
            matrix.update({(words[0], to): word for to, word in zip(columns, words[1:])})
        else:
            columns = []
    return matrix


class Probes:
    """A UDP service on each host, and a socket from which it asks the others: an event loop for all. A context manager.

    hosts are {name: Host}; addresses {name: address}, as the others would name it. Questions leave from a port of their
    own, so that no question can pass for the answer to another.
    """

    def __init__(self, hosts, addresses, port=PORT):
        self._addresses = addresses
        self._port = port
        self._asking, self._serving = {}, {}
        for name, host in hosts.items():
            self._asking[name] = self._socket(host, ("0.0.0.0", 0))
            self._serving[name] = self._socket(host, (addresses.get(name, "0.0.0.0"), port))
        self._place = {sock.fileno(): (name, sock) for group in (self._asking, self._serving)
                       for name, sock in group.items()}
        self._poll = select.poll()
        for fd in self._place:
            self._poll.register(fd, select.POLLIN)

    @staticmethod
    def _socket(host, address):
        sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(address)
        sock.setblocking(False)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, sock in self._place.values():
            sock.close()

    def ask(self, expected=(), pairs=None, settle_s=SETTLE_S, limit_s=10):
        """Everyone asks everyone else (or the pairs given); returns (arrived, answered): sets of (from, to).

        Waits until the expected are answered, asking them again meanwhile, and then settle_s for what else may come.
        """
        pairs = list(pairs or ((a, b) for a in self._asking for b in self._addresses if a != b))
        expected, arrived, answered = set(expected), set(), set()
        self._send(pairs)
        end, again = time.monotonic() + limit_s, time.monotonic() + 0.5
        while not expected <= answered and time.monotonic() < end:
            self._collect(0.1, arrived, answered)
            if time.monotonic() > again:
                self._send(expected - answered)
                again = time.monotonic() + 0.5
        quiet = time.monotonic() + settle_s
        while time.monotonic() < quiet:
            self._collect(quiet - time.monotonic(), arrived, answered)
        return arrived, answered

    def _send(self, pairs):
        for source, target in pairs:
            send(self._asking[source], f"ask {source} {target}", (self._addresses[target], self._port))

    def _collect(self, timeout_s, arrived, answered):
        for fd, _ in self._poll.poll(max(0, int(timeout_s * 1000))):
            here, sock = self._place[fd]
            try:
                data, peer = sock.recvfrom(2048)
            except OSError:  # an ICMP error about what it sent
                continue
            kind, source, target = data.decode().split()
            if kind == "ask":
                arrived.add((source, here))  # also where it was not meant to go
                send(sock, f"answer {source} {target}", peer)
            elif here == source:
                answered.add((here, target))


def send(sock, text, to):
    """Sends a datagram; that there is no route, or that nobody answered ARP, is an answer too."""
    with contextlib.suppress(OSError):
        sock.sendto(text.encode(), to)


def ping_all(site, addresses, pairs, count=2, wait_s=2):
    """The pairs of which the first got an answer from the second: every host pings all of its own at once.

    addresses are {name: address}, or {(from, to): address} where it depends on who asks.
    """
    def ping(name):
        targets = {to: addresses.get((name, to)) or addresses[to] for source, to in pairs if source == name}
        script = "".join(f"(ping -c {count} -i 0.2 -W {wait_s} {address} >/dev/null 2>&1 && echo '{to}') & "
                         for to, address in targets.items()) + "wait"
        return {(name, to) for to in site[name].run("sh", "-c", script).stdout.splitlines()}

    return set().union(*site.each(ping, {source for source, _ in pairs}).values())
