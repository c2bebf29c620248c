# SPDX-License-Identifier: BSD-3-Clause
"""What the console prints when someone presses Enter, as numbers. The only place that knows its format."""

import dataclasses
import re

END_OF_STATUS = r"status +end$"
LINE_TIME = re.compile(r"^\[ *\d+\.\d+\] ", re.MULTILINE)
PORT = re.compile(r"^port (\d+) +(up|down|dead) +(\S+) +rx (\d+) tx (\d+)(.*)$", re.MULTILINE)
PACKETS = re.compile(r"^packets received (\d+) created (\d+) sent (\d+) consumed (\d+) held (\d+) dropped (\d+)(.*)$",
                     re.MULTILINE)
DROP = re.compile(r"^dropped ([a-z0-9-]+) (\d+)$", re.MULTILINE)


@dataclasses.dataclass
class PortStatus:
    """One port's line: state is "up", "down" or "dead"; rare holds the counters that are shown if not 0."""

    state: str
    network: str
    received: int
    sent: int
    rare: dict

    @property
    def missed(self):
        """Frames that the device had no buffer for. QEMU's vmxnet3 drops them; its other NICs wait for one."""
        return self.rare.get("missed", 0)


@dataclasses.dataclass
class Status:
    """The counters of one moment."""

    received: int
    created: int
    sent: int
    consumed: int
    held: int
    dropped: int
    drops: dict  # reason: count
    ports: list  # PortStatus, by number
    text: str

    @property
    def missed(self):
        """Frames that devices had no buffer for, on all ports."""
        return sum(port.missed for port in self.ports)

    @property
    def coalesced(self):
        """Packets that were put together with the one before them, on all ports."""
        return sum(port.rare.get("coalesced", 0) for port in self.ports)

    def check_sum(self):
        """Fails unless every packet is accounted for: what came in or was made is sent, used, put together with
        another, held or dropped."""
        assert self.received + self.created == (self.sent + self.consumed + self.coalesced + self.held +
                                                self.dropped), self.text
        assert sum(self.drops.values()) == self.dropped, self.text
        assert "SUM WRONG" not in self.text, self.text


def parse_status(text):
    """The console's text of one status, as a Status. An unknown format is an error, never zeros."""
    text = LINE_TIME.sub("", text)
    packets = PACKETS.search(text)
    if not packets:
        raise AssertionError("no line of packets in the status:\n" + text)
    ports = []
    for _, state, network, received, sent, rare in PORT.findall(text):
        words = rare.split()
        ports.append(PortStatus(state, network, int(received), int(sent),
                                {name: int(count) for name, count in zip(words[::2], words[1::2])}))
    drops = {name: int(count) for name, count in DROP.findall(text)}
    return Status(*map(int, packets.groups()[:6]), drops, ports, text)
