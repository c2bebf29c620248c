# SPDX-License-Identifier: BSD-3-Clause
"""The page of examples, taken at its word: every configuration is booted as it stands and held to its table.

    [two hosts of each network] ---- ports 1 and up, or VLANs of port 0 [ router ] port 0 ---- eth0 [isp]

The page has the drawings; PLACES says which of their machines stand where.
"""

import errno
import os
import re

import pytest

from lab.outside import GATEWAY
from lab.reach import ping_all, printed_matrix
from lab.router import ROOT
from lab.site import ISP, Site
from lab.talk import connect, listening, talks

PAGE = os.path.join(ROOT, "docs", "examples.md")
# What is on the ports: hosts are called after their network.
PLACES = {
    "VMware's networks": {1: "vmnet0-a", 2: "vmnet0-b", 3: "vmnet1-a", 4: "vmnet1-b", 5: "vmnet8-a", 6: "vmnet8-b"},
    "VirtualBox's networks": {1: "natnet-a", 2: "natnet-b", 3: "vboxnet0-a", 4: "vboxnet0-b", 5: "intnet-a",
                              6: "intnet-b"},
    "Two servers on one port": {1: "lan-a", 2: "lan-b"},
    "A laboratory with one door": {1: "dev-a", 2: "dev-b", 3: "lab-a", 4: "lab-b"},
    "A router on a stick": {0: {99: ISP, 10: "guests-a", 20: "office-a", 30: "cameras-a"}, 1: "office-b",
                            2: "cameras-b"},
    "A switch and nothing else": {1: "vmnet0-a", 2: "vmnet0-b"},
}
REFUSED = (errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTUNREACH)
ROUTER, OUTSIDE = "the router", "outside"


def read_page():
    """{heading: (configuration, {(from, to): cell})}. The drawing is the first block of a section, the configuration
    the last."""
    examples = {}
    with open(PAGE, encoding="ascii") as file:
        sections = re.split(r"^## ", file.read(), flags=re.MULTILINE)[1:]
    for section in sections:
        blocks = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()
                if line.startswith("|")]
        table = {(row[0], to): cell for row in rows[2:] for to, cell in zip(rows[0][1:], row[1:])}
        examples[section.partition("\n")[0]] = (blocks[-1], table)
    return examples


def names_of(places):
    """The hosts of PLACES, without the outside."""
    found = [name for what in places.values() for name in (what.values() if isinstance(what, dict) else [what])]
    return [name for name in found if name != ISP]


def network(name):
    """The network of a host, as the tables call it."""
    return OUTSIDE if name == ISP else name.rpartition("-")[0]


class Example:
    """One of the page's, booted and every host configured. A context manager."""

    def __init__(self, heading, config, table):
        self.table = table
        self.names = names_of(PLACES[heading])
        internal = re.findall(r"net=([^,]*),internal", config)
        leased = [name for name in self.names if network(name) not in internal]
        self.site = Site(config, PLACES[heading], leases=leased)
        self.routers = {OUTSIDE: self.site.outside.router_address()}
        for number, name in enumerate(sorted(set(self.names) - set(leased)), 1):
            self.site.static(name, f"10.77.77.{number}/24")
            self.routers[network(name)] = "10.77.77.99"
        for name, lease in self.site.leases.items():
            outside = lease.server == GATEWAY  # a bridge's hosts: the router's address there is the uplink's
            self.routers[network(name)] = self.routers[OUTSIDE] if outside else lease.server
            if not lease.router:
                self.site.route(name, lease.server)
        self.addresses = {name: self.site.address(name) for name in [*self.names, ISP]}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self.site.__exit__(*exception)

    def cell(self, source, target):
        """The table's word for two hosts, or a host and its router."""
        there = target if target == ROUTER else network(target)
        return self.table[network(source), there] if network(source) != there or there != OUTSIDE else "-"


def all_examples():
    """For pytest: every section of the page."""
    return [pytest.param(heading, *content, id=heading.replace(" ", "-")) for heading, content in read_page().items()]


def test_the_page_and_this_file_know_the_same_examples():
    """A section without hosts here, or the other way round, would be an example nobody tries."""
    assert set(read_page()) == set(PLACES)


@pytest.mark.parametrize("heading, config, table", all_examples())
def test_example(heading, config, table):
    """All pairs of its machines by ping; cells that name a port by a connection to that port and another one."""
    with Example(heading, config.replace("\n", " "), table) as example:
        site = example.site
        hosts = [*example.names, ISP]
        pairs = [(a, b) for a in hosts for b in hosts if a != b]
        # A host of an internal network shares addresses with whom it likes: from elsewhere they mean nothing.
        expected = {(a, b) for a, b in pairs if example.cell(a, b) == "yes"}
        assert ping_all(site, example.addresses, pairs) == expected
        for source, target in pairs:
            check_port(site, source, target, example)
        if (OUTSIDE, ROUTER) in table:
            routers = {(name, ROUTER): example.routers[network(name)] for name in hosts}
            assert ping_all(site, routers, routers) == {pair for pair in routers if example.cell(*pair) == "yes"}
        else:
            assert example.routers[OUTSIDE] is None, "the router asked for an address"
        check_printed(printed_matrix(site.router.console), table)
        if "natpf=ssh" in config:
            check_forward(example)
        if "fwd=tcp:6000" in config:
            check_published(example)
        site.router.status().check_sum()


def check_port(site, source, target, example):
    """A cell like "tcp 22": that port is open, and the next is not."""
    cell = example.cell(source, target)
    if not cell.startswith("tcp "):
        return
    port = int(cell.split()[1])
    assert talks(site[source], site[target], example.addresses[target], port)
    with listening(site[target], port + 1):
        assert connect(site[source], example.addresses[target], port + 1, 1.0) in REFUSED


def check_printed(matrix, table):
    """The console's matrix says what the table says, where both speak."""
    def here(name):
        return {OUTSIDE: "uplink", ROUTER: "router"}.get(name, name)

    for (source, target), cell in table.items():
        printed = matrix.get((here(source), here(target)))
        if printed and cell != "-":
            assert (printed == "yes", printed == "no") == (cell == "yes", cell == "no"), (source, target, printed)


def check_forward(example):
    """The VirtualBox set's: tcp 2222 of the uplink leads to the guest's ssh, and the next port to nothing."""
    guest, address = example.site["natnet-a"], example.routers[OUTSIDE]
    guest.ip("addr", "add", "10.0.2.15/24", "dev", "eth0")
    with listening(guest, 22) as server:
        client = connect(example.site[ISP], address, 2222)
        assert not isinstance(client, int), client
        with client, server.accept()[0] as accepted:
            accepted.sendall(b"SSH-2.0-here")
            assert client.recv(20) == b"SSH-2.0-here"
    with listening(guest, 2223):
        assert connect(example.site[ISP], address, 2223, 1.0) in REFUSED


def check_published(example):
    """The two servers': each port leads to its own, from outside and from beside it."""
    site, address = example.site, example.routers[OUTSIDE]
    for port, name in ((6000, "lan-a"), (6001, "lan-b")):
        for client, seen in ((site[ISP], GATEWAY), (site["lan-a"], address)):
            with listening(site[name], 5000) as server:
                ours = connect(client, address, port)
                assert not isinstance(ours, int), ours
                with ours, server.accept()[0] as accepted:
                    assert accepted.getpeername()[0] == seen
                    accepted.sendall(name.encode())
                    assert ours.recv(20) == name.encode()
