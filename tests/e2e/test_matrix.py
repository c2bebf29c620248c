# SPDX-License-Identifier: BSD-3-Clause
"""Random configurations: what the console's matrix promises is what packets find, pair by pair.

    [host] eth0 ---- port 1 [        ]
      ...                   [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
    [host] eth0 ---- port 9 [        ]

Modes, numbers of ports and rules are drawn by lot, with a fixed seed for each test. A deliberately simple model of the
rules says what the fields that are neither "yes" nor "no" mean for the packets sent here.
"""

import dataclasses
import itertools
import random

import pytest

from lab.outside import SERVER
from lab.reach import PORT, Probes, ping_all, printed_matrix
from lab.site import ISP, Site

SEEDS = (1, 2, 4)
HOSTS = 9
UPLINK = "uplink"
ADDRESSED = ("nat", "routed", "hostonly")


@dataclasses.dataclass
class Rule:
    """A rule of the draw: ends are networks, the uplink or "" for any; proto and port may be empty."""

    action: str
    source: str
    target: str
    proto: str
    port: int

    def text(self):
        """As the configuration says it."""
        parts = [f"rule={self.action}", self.source and f"from={self.source}", self.target and f"to={self.target}",
                 self.proto and f"proto={self.proto}", self.port and f"port={self.port}"]
        return ",".join(filter(None, parts))

    def matches(self, source, target, proto, port):
        """Whether it is about this packet."""
        return self.source in ("", source) and self.target in ("", target) and self.proto in ("", proto) \
            and self.port in (0, port)


class Draw:
    """A configuration drawn by lot."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.modes, self.ports, self.rules = {}, {}, []
        left = list(range(1, HOSTS + 1))
        while left:
            modes = ["nat", "nat", "routed", "hostonly", "hostonly", "internal"]
            modes += ["bridge"] if "bridge" not in self.modes.values() else []
            name = "abcdefghi"[len(self.modes)] + "net"
            self.modes[name] = rng.choice(modes)
            self.ports[name], left = left[:(size := rng.choice((1, 1, 2)))], left[size:]
        for _ in range(rng.randrange(3, 9)):
            source, target = rng.choice(self._ways())
            proto = rng.choice(("", "", "udp", "icmp"))
            self.rules.append(Rule(rng.choice(("allow", "allow", "deny", "reject")), source, target, proto,
                                   rng.choice((0, PORT, PORT + 1)) if proto == "udp" else 0))

    def _ways(self):
        """The pairs of networks that a rule may speak about: the modes leave them open."""
        ends = [name for name, mode in self.modes.items() if mode in ADDRESSED] + [UPLINK]
        return [(a, b) for a, b in itertools.permutations(ends, 2) if not self.forbidden(a, b)] \
            + [("", b) for b in ends if b != UPLINK] or [("", "")]

    def mode(self, end):
        """The mode of a network; the uplink counts as a bridge, for that is its segment."""
        return "bridge" if end == UPLINK else self.modes[end]

    def forbidden(self, source, target):
        """What no rule opens."""
        modes = self.mode(source), self.mode(target)
        return "internal" in modes or ("bridge" in modes and "hostonly" in modes) or modes == ("bridge", "nat")

    def passes(self, source, target, proto, port):
        """The model: whether a packet opens a conversation."""
        if source == target or (self.mode(source) == self.mode(target) == "bridge"):
            return True
        if self.forbidden(source, target):
            return False
        ends = [UPLINK if self.mode(end) == "bridge" else end for end in (source, target)]
        for rule in self.rules:
            if rule.matches(*ends, proto, port):
                return rule.action == "allow"
        return self.mode(target) == "bridge" and self.mode(source) in ("nat", "routed")

    def text(self):
        """The configuration."""
        nets = [f"net={name},{mode},ports={'+'.join(map(str, self.ports[name]))}" for name, mode in self.modes.items()]
        return " ".join(["uplink=0", *nets, *[rule.text() for rule in self.rules]])


def booted(draw):
    """A site of the draw, configured, and {host: network}."""
    network = {f"{name[0]}{port}": name for name, ports in draw.ports.items() for port in ports}
    places = {port: f"{name[0]}{port}" for name, ports in draw.ports.items() for port in ports}
    leased = [host for host, name in network.items() if draw.modes[name] != "internal"]
    site = Site(draw.text(), places, leases=leased)
    for number, host in enumerate(sorted(set(network) - set(leased)), 1):
        site.static(host, f"172.30.0.{number}/24")
    for host, lease in site.leases.items():
        if draw.modes[network[host]] == "hostonly":
            site.route(host, lease.server)
        elif draw.modes[network[host]] == "routed":
            site[ISP].ip("route", "replace", lease.address + "/32", "via", site.outside.router_address())
    return site, {**network, ISP: UPLINK}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_matrix_keeps_its_word(seed):
    """UDP to one port and pings between all; "no" is nothing, "yes" all, anything else what the model says."""
    draw = Draw(seed)
    site, network = booted(draw)
    with site:
        matrix = printed_matrix(site.router.console)
        addresses = {host: site.address(host) for host in network if host != ISP} | {ISP: SERVER}
        pairs = list(itertools.permutations(network, 2))
        expected = {proto: {(a, b) for a, b in pairs if draw.passes(network[a], network[b], proto, PORT)}
                    for proto in ("udp", "icmp")}
        with Probes({host: site[host] for host in network}, addresses) as probes:
            arrived, answered = probes.ask(expected["udp"])
        told = "\n".join([draw.text(), site.router.console])
        assert answered == expected["udp"], told
        assert arrived == answered, told
        assert ping_all(site, addresses, pairs) == expected["icmp"], told
        for source, target in pairs:
            word = matrix[network[source], network[target]]
            found = {(source, target) in expected[proto] for proto in expected}
            if word in ("yes", "no") and network[source] != network[target]:
                assert found == {word == "yes"}, f"{source} {target} {word}\n{told}"
        site.router.status().check_sum()
