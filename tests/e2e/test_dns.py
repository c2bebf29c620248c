# SPDX-License-Identifier: BSD-3-Clause
"""DNS with dig: names of our own and their addresses, and what nobody outside gets to hear of.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp] DNS
    [lan2] eth0 ---- port 2 [        ]
"""

import re

import pytest

from lab.clients import lease_by
from lab.home import ROUTER, Home, host_mac

CONFIG = (f"hostname=gate host={host_mac(1)},192.168.8.20,web dnsrec=nas:192.168.8.5 dnsrec=www.shop.example:192.168.8.6")


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """One router, a reserved host, and one that calls itself what it likes."""
    with Home(hosts=2, config=CONFIG) as made:
        yield made


class Answer:
    """What dig says."""

    def __init__(self, text):
        self.text = text
        self.status = re.search(r"status: (\w+)", text).group(1)
        self.flags = re.search(r"flags: ([\w ]+)", text).group(1).split()
        self.records = [line.split() for line in text.splitlines() if line and line[0] != ";"]
        self.answers = int(re.search(r"ANSWER: (\d+)", text).group(1))
        self.values = [" ".join(record[4:]) for record in self.records[:self.answers]]
        self.soa = [record for record in self.records[self.answers:] if record[3] == "SOA"]

    def __repr__(self):
        return self.text


def dig(host, *words):
    """Asks the router; one try, which must be answered."""
    return Answer(host.run("dig", f"@{ROUTER}", "+tries=1", "+time=10", "+nocookie", *words).stdout)


def test_names_both_ways(home):
    """Reserved, leased, recorded and the router's: each address leads back to the name it came from."""
    host = home.hosts[0]
    for name, address, full in (("web.lan", "192.168.8.20", "web.lan."), ("gate.lan", ROUTER, "gate.lan."),
                                ("nas.lan", "192.168.8.5", "nas.lan."), ("nas", "192.168.8.5", "nas.lan."),
                                ("www.shop.example", "192.168.8.6", "www.shop.example.")):
        answer = dig(host, name, "A")
        assert (answer.status, answer.values) == ("NOERROR", [address]) and "aa" in answer.flags, answer
        answer = dig(host, "-x", address)
        assert (answer.status, answer.values) == ("NOERROR", [full]), answer
    assert dig(host, "-x", "127.0.0.1").values == ["localhost."]
    assert dig(host, "localhost", "AAAA").values == ["::1"]


def test_what_a_name_does_not_have(home):
    """Other types of a name of ours: an empty answer at once, that may be kept (RFC 2308)."""
    for name, kind in (("web.lan", "AAAA"), ("gate", "AAAA"), ("nas.lan", "HTTPS"), ("lan", "A"), ("lan", "SOA"),
                       ("www.shop.example", "AAAA"), ("20.8.168.192.in-addr.arpa", "A")):
        answer = dig(home.hosts[0], name, kind)
        assert (answer.status, answer.answers, len(answer.soa)) == ("NOERROR", 0, 1), answer
        # The zone is one that the name is in, else nobody may keep the answer.
        assert f"{name}.".endswith(answer.soa[0][0]), answer


def test_nothing_of_ours_leaks(home):
    """Names that do not exist, and of private addresses: no server outside is asked. What is not ours is."""
    host = home.hosts[0]
    for name, kind in (("nobody.lan", "A"), ("nobody", "A"), ("99.8.168.192.in-addr.arpa", "PTR"),
                       ("1.2.3.10.in-addr.arpa", "PTR"), ("1.0.16.172.in-addr.arpa", "PTR"),
                       ("9.9.254.169.in-addr.arpa", "PTR"), ("b._dns-sd._udp.0.8.168.192.in-addr.arpa", "PTR"),
                       ("printer.local", "A"), ("hidden.onion", "A"), ("x.test", "A"), ("x.invalid", "A"),
                       ("x.home.arpa", "A"), ("1.0.0.d.f.ip6.arpa", "PTR")):
        answer = dig(host, name, kind)
        assert (answer.status, len(answer.soa)) == ("NXDOMAIN", 1), answer
        assert f"{name}.".endswith("." + answer.soa[0][0].lstrip(".")), answer
        assert name.lower() not in home.outside.log().lower(), f"{name} was asked outside"
    assert dig(host, "_dns.resolver.arpa", "SVCB").status == "NOERROR"
    assert "resolver.arpa" not in home.outside.log().lower()
    assert dig(host, "files.example").values == ["198.51.100.10"]
    dig(host, "1.0.0.9.in-addr.arpa", "PTR")
    assert re.search(r"9\.0\.0\.1|1\.0\.0\.9\.in-addr", home.outside.log().lower()), "the log shows what is asked"


def test_answers_are_kept():
    """The second host to ask is answered by the router, with a TTL that has gone down; the status counts it."""
    with Home(hosts=2, upstream=False, web=False, leases=False) as home:
        home.outside.start_isp(extra=["--local-ttl=300"])
        for host in home.hosts:
            lease_by("udhcpc", host)
        first = dig(home.hosts[0], "files.example")
        asked = home.outside.log().count("query[A]")
        home.hosts[1].run("sleep", 2)
        second = dig(home.hosts[1], "FILES.example")
        assert first.values == second.values == ["198.51.100.10"]
        assert int(first.records[0][1]) == 300 and 290 <= int(second.records[0][1]) <= 299, second
        assert second.records[0][0] == "FILES.example.", second
        assert home.outside.log().count("query[A]") == asked
        assert re.search(r"dns +cache: hits 1 ", home.router.status().text)


def test_a_client_cannot_take_a_name(home):
    """A client that calls itself as the router, a reservation or a record keeps its address, and no name; one with a
    name of its own has it both ways."""
    host = home.hosts[1]
    for name, whose in (("gate", "hostname="), ("web", "host="), ("nas", "dnsrec=")):
        lease = lease_by("udhcpc", host, arguments=["-x", f"hostname:{name}"])
        if name == "gate":  # the console tells of one a minute
            home.router.wait_for(rf"calls itself {name}, which is .*{re.escape(whose)}")
        assert lease.address not in dig(home.hosts[0], f"{name}.lan").values
        assert dig(home.hosts[0], "-x", lease.address).status == "NXDOMAIN"
    lease = lease_by("udhcpc", host, arguments=["-x", "hostname:phone"])
    assert dig(home.hosts[0], "phone.lan").values == [lease.address]
    assert dig(home.hosts[0], "-x", lease.address).values == ["phone.lan."]
