# SPDX-License-Identifier: BSD-3-Clause
"""Who reaches whom: as the router prints it, and as packets find it."""

import re
import select
import socket
import time

LINE_TIME = re.compile(r"^\[ *\d+\.\d+\] ", re.MULTILINE)
PORT = 7000
SETTLE_S = 1.0  # how long something that must not come is waited for


def printed_matrix(console):
    """The matrix of the console's start: {(from, to): word}."""
    lines = [line.split() for line in LINE_TIME.sub("", console).splitlines()]
    start = next(i for i, words in enumerate(lines) if words[:2] == ["reach", "from"])
    columns, matrix = lines[start][4:], {}
    for words in lines[start + 1:]:
        if len(words) != len(columns) + 1:
            break
        matrix.update({(words[0], to): word for to, word in zip(columns, words[1:])})
    return matrix


class Probes:
    """A UDP socket on each host, with which all ask all: an event loop for the lot. A context manager.

    hosts are {name: Host}; addresses {name: address}, as the others would name it.
    """

    def __init__(self, hosts, addresses, port=PORT):
        self._addresses = addresses
        self._port = port
        self._sockets = {}
        for name, host in hosts.items():
            sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("0.0.0.0", port))
            sock.setblocking(False)
            self._sockets[name] = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._sockets.values():
            sock.close()

    def ask(self, expected=(), pairs=None, settle_s=SETTLE_S, limit_s=10):
        """Everyone asks everyone else (or the pairs given); returns (arrived, answered): sets of (from, to).

        Waits until the expected are answered, asking them again meanwhile, and then settle_s for what else may come.
        """
        pairs = list(pairs or ((a, b) for a in self._sockets for b in self._addresses if a != b))
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
            try:
                self._sockets[source].sendto(f"ask {source} {target}".encode(), (self._addresses[target], self._port))
            except OSError:  # no route, or nobody answered its ARP: that is an answer too
                pass

    def _collect(self, timeout_s, arrived, answered):
        names = {sock.fileno(): name for name, sock in self._sockets.items()}
        poll = select.poll()
        for fd in names:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(max(0, int(timeout_s * 1000))):
            here = names[fd]
            try:
                data, peer = self._sockets[here].recvfrom(2048)
            except OSError:  # an ICMP error about what it sent
                continue
            kind, source, target = data.decode().split()
            if kind == "ask":
                arrived.add((source, here))  # also where it was not meant to go
                self._reply(here, f"answer {source} {target}", peer)
            elif kind == "answer" and here == source:
                answered.add((here, target))

    def _reply(self, name, text, peer):
        try:
            self._sockets[name].sendto(text.encode(), peer)
        except OSError:
            pass


def ping_all(site, addresses, pairs, count=2, wait_s=2):
    """The pairs of which the first got an answer from the second: every host pings all of its own at once."""
    def ping(name):
        targets = {to: addresses[to] for source, to in pairs if source == name}
        script = "".join(f"(ping -c {count} -i 0.2 -W {wait_s} {address} >/dev/null 2>&1 && echo {to}) & "
                         for to, address in targets.items()) + "wait"
        return {(name, to) for to in site[name].run("sh", "-c", script).stdout.split()}

    return set().union(*site.each(ping, {source for source, _ in pairs}).values())
