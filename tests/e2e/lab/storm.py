# SPDX-License-Identifier: BSD-3-Clause
"""Storms: as many frames as the router takes, from many ports at once, and where each of them arrives.

The sending and the looking is a small C program's (storm.c), compiled when first asked for. Here is what to send, and
how to read what it saw.
"""

import atexit
import collections
import dataclasses
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile

from .outside import SERVER

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = b"\xa5storm\x5a"
BROADCAST = b"\xff" * 6
_made = {}


def program():
    """Path of the compiled storm."""
    if "path" not in _made:
        directory = tempfile.mkdtemp(prefix="storm")
        atexit.register(shutil.rmtree, directory, True)
        _made["path"] = os.path.join(directory, "storm")
        subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-O2", "-o", _made["path"],
                        os.path.join(HERE, "storm.c")], check=True, timeout=60)
    return _made["path"]


@dataclasses.dataclass
class Seen:
    """What arrived: marked[place, VLAN ID][mark] and others[place, VLAN ID][source MAC], both counters."""

    sent: dict
    marked: dict
    others: dict
    lost: dict

    def marks(self, place):
        """Marks seen at a place, on any VLAN of it: {mark: count}."""
        return sum((count for (where, _), count in self.marked.items() if where == place), collections.Counter())


class Storm:
    """A storm on its way. ends are {place: socket}; load is {place: (frames, count, rate)}; places without a load
    only watch. Packet sockets among the ends must be the storm's alone. A context manager, or call finish()."""

    def __init__(self, ends, load, quiet_ms=500):
        self._directory = tempfile.TemporaryDirectory(prefix="frames")
        self._places = {end.fileno(): place for place, end in ends.items()}
        words = []
        for fd, place in self._places.items():
            word = str(fd)
            if place in load:
                frames, count, rate = load[place]
                path = os.path.join(self._directory.name, str(fd))
                with open(path, "wb") as file:
                    file.write(b"".join(struct.pack("=I", len(frame)) + frame for frame in frames))
                word += f":{path}:{count}:{rate}"
            words.append(word)
        self.process = subprocess.Popen([program(), str(quiet_ms), *words], stdout=subprocess.PIPE, text=True,
                                        pass_fds=list(self._places))
        assert self.process.stdout.readline() == "ready\n", "the storm did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._directory.cleanup()

    @property
    def over(self):
        """Whether all is sent and seen."""
        return self.process.poll() is not None

    def finish(self, timeout=300):
        """Waits for the end; returns what was Seen."""
        with self:
            out, _ = self.process.communicate(timeout=timeout)
            assert self.process.returncode == 0, f"the storm ended with {self.process.returncode}"
        seen = Seen({}, collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter), {})
        for line in out.splitlines():
            kind, fd, *words = line.split()
            place = self._places[int(fd)]
            if kind == "sent":
                seen.sent[place] = int(words[0])
            elif kind == "seen":
                seen.marked[place, int(words[0])][int(words[1])] += int(words[2])
            elif kind == "other":
                seen.others[place, int(words[0])][words[1]] += int(words[2])
            else:
                seen.lost[place] = int(words[0])
        return seen


@dataclasses.dataclass
class Segment:
    """A network as the forger knows it; the others are what it aims at and pretends to be from."""

    name: str
    mark: int
    subnet: str = "10.99.99"  # of a /24, three numbers
    router_ip: str = ""
    router_mac: str = "02:00:00:00:00:01"
    hosts: tuple = ()  # (MAC, address)


def mac_bytes(text):
    """A MAC as bytes."""
    return bytes.fromhex(text.replace(":", ""))


def ip_sum(data):
    """The Internet checksum of data."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ipv4(source, target, proto, payload, ttl=64, ident=1, fragment=0, options=b""):
    """An IPv4 packet with a right checksum."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident,
                         fragment, ttl, proto, 0, source, target) + options
    return header[:10] + struct.pack("!H", ip_sum(header)) + header[12:] + payload


def marked(mark):
    """The mark of a storm's frames."""
    return MARK + bytes([mark])


class Forger:
    """Random frames, some of them right, aimed at everything in the world: random unicast, broadcast and multicast,
    spoofed sources, source routes, fragments, ARP and IPv6 of all kinds, and forged tags."""

    def __init__(self, seed, world, vids):
        self.rng = random.Random(seed)
        self.world = world
        self.vids = vids  # that exist somewhere

    def frames(self, home, count, vid=0, tags=0.25):
        """count frames from the segment home; vid is the tag that puts them there (0: none), and tags the share of
        those with forged ones (behind that tag, if there is one)."""
        return [self.frame(home, vid, tags) for _ in range(count)]

    def frame(self, home, vid, tags):
        """One frame."""
        rng = self.rng
        kind, payload = rng.choice((self._ip, self._ip, self._ip, self._fragment, self._routed, self._arp, self._ipv6,
                                    self._strange))(home)
        tag = struct.pack("!HH", 0x8100, vid) if vid else b""
        if rng.random() < tags:
            tag += self._tags()
        frame = self._target(home) + self._source(home) + tag + struct.pack("!H", kind) + payload
        return frame.ljust(60, b"\0")

    def _tags(self):
        rng = self.rng
        return b"".join(struct.pack("!HH", rng.choice((0x8100, 0x8100, 0x8100, 0x88A8)), rng.randrange(8) << 13
                                    | rng.choice([*self.vids, 0, 1, 4095, rng.randrange(4096)]))
                        for _ in range(rng.choice((1, 1, 2))))

    def _segment(self, home):
        return home if self.rng.random() < 0.3 else self.rng.choice(self.world)

    def _target(self, home):
        rng, there = self.rng, self._segment(home)
        return rng.choice((
            lambda: BROADCAST, lambda: mac_bytes(home.router_mac), lambda: mac_bytes(home.router_mac),
            lambda: mac_bytes(there.router_mac), lambda: mac_bytes(there.router_mac),
            lambda: b"\x01\x00\x5e" + rng.randbytes(3), lambda: b"\x33\x33" + rng.randbytes(4),
            lambda: b"\x01\x80\xc2\x00\x00" + rng.randbytes(1), lambda: self._host(there)[0],
            lambda: b"\x02" + rng.randbytes(5)))()

    def _source(self, home):
        rng = self.rng
        return rng.choice((
            lambda: b"\x06\xee" + bytes([home.mark]) + b"\0\0" + rng.randbytes(1),
            lambda: b"\x06\xee" + bytes([home.mark]) + b"\0\0" + rng.randbytes(1),
            lambda: b"\x06" + rng.randbytes(5), lambda: self._host(self._segment(home))[0],
            lambda: mac_bytes(self._segment(home).router_mac)))()

    def _host(self, there):
        """(MAC, address) of a machine that is there, as bytes."""
        if there.hosts and self.rng.random() < 0.8:
            mac, address = self.rng.choice(there.hosts)
            return mac_bytes(mac), socket.inet_aton(address)
        return b"\x06\xee" + bytes([there.mark]) + b"\0\0\1", self._address(there)

    def _address(self, there):
        """An address of the segment: a machine's, the router's, any, the last."""
        rng = self.rng
        roll = rng.random()
        if there.hosts and roll < 0.4:
            return socket.inet_aton(rng.choice(there.hosts)[1])
        if there.router_ip and roll < 0.6:
            return socket.inet_aton(there.router_ip)
        return socket.inet_aton(f"{there.subnet}.{255 if roll > 0.95 else rng.randrange(2, 254)}")

    def _from_ip(self, home):
        roll = self.rng.random()
        if roll < 0.6:
            return socket.inet_aton(f"{home.subnet}.{self.rng.randrange(2, 254)}")
        if roll < 0.9:
            return self._address(self._segment(home))
        return self.rng.choice((b"\0\0\0\0", b"\x7f\0\0\1", b"\xff\xff\xff\xff", self.rng.randbytes(4)))

    def _to_ip(self, home):
        roll = self.rng.random()
        if roll < 0.75:
            return self._address(self._segment(home))
        return self.rng.choice((b"\xff" * 4, b"\xe0\0\0\xfb", b"\xef" + self.rng.randbytes(3), socket.inet_aton(SERVER),
                                self.rng.randbytes(4)))

    def _l4(self, home):
        """(protocol, header and marked payload); UDP's checksum is left out, TCP's and ICMP's are right or wrong."""
        rng, mark = self.rng, marked(home.mark) + self.rng.randbytes(self.rng.randrange(40))
        ports = struct.pack("!HH", rng.randrange(65536), rng.choice((53, 67, 80, 22, 7000, 123, rng.randrange(65536))))
        kind = rng.randrange(4)
        if kind == 0:
            flags = rng.choice((2, 16, 18, 4, 1))
            return 6, ports + rng.randbytes(8) + bytes([0x50, flags, 16, 0]) + b"\0\0\0\0" + mark
        if kind == 1:
            body = bytes([rng.choice((8, 8, 0, 3, 5, 11)), 0]) + b"\0\0" + rng.randbytes(4) + mark
            body += b"\0" * (len(body) % 2)
            return 1, body[:2] + struct.pack("!H", ip_sum(body)) + body[4:]
        if kind == 2 and rng.random() < 0.2:
            return rng.choice((2, 41, 47, 50, 132)), rng.randbytes(8) + mark
        return 17, ports + struct.pack("!HH", 8 + len(mark), 0) + mark

    def _ip(self, home):
        proto, payload = self._l4(home)
        ttl = self.rng.choice((64, 64, 255, 2, 1))
        return 0x0800, ipv4(self._from_ip(home), self._to_ip(home), proto, payload, ttl)

    def _fragment(self, home):
        rng = self.rng
        payload = marked(home.mark) + rng.randbytes(rng.randrange(8, 40) & ~7)
        at = rng.choice((0, 0, 1, 3, 100, 8189, rng.randrange(8192)))
        return 0x0800, ipv4(self._from_ip(home), self._to_ip(home), rng.choice((17, 6, 1)), payload,
                            ident=rng.randrange(16), fragment=at | rng.choice((0, 0x2000)))

    def _routed(self, home):
        """A loose or strict source route by way of the router or another network."""
        proto, payload = self._l4(home)
        hops = b"".join(self._address(self._segment(home)) for _ in range(self.rng.randrange(1, 4)))
        option = bytes([self.rng.choice((0x83, 0x89)), 3 + len(hops), self.rng.choice((4, 4, 8))]) + hops + b"\1"
        return 0x0800, ipv4(self._from_ip(home), self._to_ip(home), proto, payload, options=option)

    def _arp(self, home):
        rng = self.rng
        return 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, rng.choice((1, 1, 2))) + self._source(home) \
            + self._from_ip(home) + self._target(home) + self._to_ip(home) + marked(home.mark)

    def _ipv6(self, home):
        payload = self.rng.randbytes(4) + struct.pack("!HH", 16, 0) + marked(home.mark)
        source = b"\xfe\x80" + self.rng.randbytes(14)
        target = self.rng.choice((b"\xff\x02" + bytes(13) + b"\1", b"\xfd" + self.rng.randbytes(15)))
        return 0x86DD, b"\x60\0\0\0" + struct.pack("!HBB", len(payload), 17, 64) + source + target + payload

    def _strange(self, home):
        """An EtherType nobody routes, or a length and LLC."""
        return self.rng.choice((0x88B5, 0x8863, 0x0040, 0x88CC, 0x22F0, self.rng.randrange(0x600, 65536))), \
            marked(home.mark) + self.rng.randbytes(40)
