# SPDX-License-Identifier: BSD-3-Clause
"""DHCP: whose the addresses are. Pools of one and of thousands, reservations, and what is given back.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]
"""

import re
import subprocess

import pytest

from lab.clients import lease_by, prepare, release, stay_with
from lab.home import Home, host_mac

EXCHANGES, EXCHANGES_PER_S = 10000, 400


def perfdhcp(host, server):
    """Starts perfdhcp on a host: a relay of so many clients, each with a hardware address of its own, and some more for
    what its host may lose."""
    return host.spawn("perfdhcp", "-4", "-u", "-d", 5, "-W", 2000000, "-R", 2 * EXCHANGES, "-n", EXCHANGES * 103 // 100,
                      "-r", EXCHANGES_PER_S, "-l", host.address()[0], server, stdout=subprocess.PIPE)


def udp_counts(host):
    """The kernel's counters of a host's datagrams, by name."""
    names, counts = (line.split()[1:] for line in host.read("/proc/net/snmp").splitlines() if line.startswith("Udp:"))
    return dict(zip(names, map(int, counts)))


def test_ten_thousand_leases(say):
    """perfdhcp takes 10,000 leases behind one port, 400 a second: the router answers all it is asked, no address is
    given twice, and a host on another port has its lease in the middle of it as if it were alone."""
    config = "net=lan,nat,ip=10.7.0.1/16,pool=10.7.64.0-10.7.127.255"
    with Home(hosts=2, config=config, leases=False) as home:
        crowd, host = home.hosts
        crowd.ip("addr", "add", "10.7.0.2/16", "dev", "eth0")
        home.router.wait_for("^ready")
        crowd.run("ping", "-c", 1, "-W", 5, "10.7.0.1")  # a host forgets most of what has to wait for ARP
        load = perfdhcp(crowd, "10.7.0.1")
        home.router.wait_for("lease     and others, more than can be told", 20)
        assert lease_by("udhcpc", host, timeout=10).lease_s == 43200
        out = load.communicate(timeout=60)[0].decode()
        sent, received, twice, rejected, orphans, given_up = (
            sum(map(int, re.findall(rf"{name}: (\d+)", out)))
            for name in ("sent packets", "received packets", "non unique addresses", "rejected leases", "orphans",
                         "collected packets"))
        status = home.router.status()
        status.check_sum()
        leased = int(re.search(r"lan: (\d+) of 16384 addresses leased", status.text).group(1))
        requests, offers, acks = map(int, re.search(
            r"requests (\d+)  offers (\d+)  acks (\d+)  naks 0  malformed 0  denied 0  refused 0  over share 0$",
            status.text, re.MULTILINE).groups())
        # An orphan is an answer to what perfdhcp, not having been let run, has given up.
        assert (twice, rejected) == (0, 0) and orphans <= given_up, out
        udp = udp_counts(crowd)
        came = udp["OutDatagrams"] + 2 - status.missed
        assert acks == leased > EXCHANGES and requests == offers + acks >= came, (udp, status.text)
        # What perfdhcp did not get lay in front of it or of its host while they were not let run.
        assert sent - received <= udp["RcvbufErrors"] + status.drops.get("tx-full", 0) + status.missed, (udp, out)
        assert re.search(r"probes \d+  in use 0  unprobed 0 ", status.text), status.text
        say(re.search(r"Rate: .*/second", out).group() + "; acks after: " + re.findall(r"avg delay: (.*)", out)[1])


@pytest.mark.parametrize("client", ["dhclient", "udhcpc", "networkd"])
def test_release_frees_the_only_address(client):
    """A pool of one: the second host gets nothing until the first has given it back."""
    config = "net=lan,nat,pool=192.168.8.100-192.168.8.100"
    with Home(hosts=2, config=config, leases=False) as home:
        one, two = home.hosts
        first = stay_with(client, one)
        assert first.address == "192.168.8.100"
        prepare("udhcpc", two)
        refused = two.run("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", 3, "-T", 1,
                          "-s", "/run/lease-script", check=False)
        assert refused.returncode != 0, "two hosts were given one address"
        # udhcpc sends its RELEASE and takes the address off at once: had the kernel to ask for the router's MAC
        # first, it would never leave.
        one.run("ping", "-c1", "-W5", first.router)
        release(client, one)
        one.ip("addr", "flush", "dev", "eth0")
        assert lease_by("udhcpc", two).address == "192.168.8.100"


def test_reservations():
    """host= keeps an address, in or out of the pool; a lease time of its own; and denies."""
    config = (f"host={host_mac(1)},192.168.8.20,printer host={host_mac(2)},192.168.8.120,lease=5m"
              f" host={host_mac(3)},deny")
    with Home(hosts=3, config=config, leases=False) as home:
        assert lease_by("udhcpc", home.hosts[0]).address == "192.168.8.20"
        second = lease_by("dhcpcd", home.hosts[1])
        assert (second.address, second.lease_s) == ("192.168.8.120", 300)
        prepare("udhcpc", home.hosts[2])
        denied = home.hosts[2].run("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", 3, "-T", 1,
                                   "-s", "/run/lease-script", check=False)
        assert denied.returncode != 0, "a denied host was given an address"
