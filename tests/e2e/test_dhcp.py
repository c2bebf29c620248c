# SPDX-License-Identifier: BSD-3-Clause
"""DHCP: three real clients, from the first question to the release.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]
"""

import ipaddress

import pytest

from lab.clients import end, lease_by, prepare, read_lease, release, signal, stay
from lab.home import ROUTER, Capture, Home, host_mac
from lab.outside import SERVER, wait_until

CLIENTS = ["udhcpc", "dhclient", "dhcpcd"]
POOL = (ipaddress.ip_address("192.168.8.100"), ipaddress.ip_address("192.168.8.250"))
SHORT_LEASE_S = 30


@pytest.mark.parametrize("client", CLIENTS)
def test_a_lease_with_everything(client):
    """Mask, router, DNS, lease time and domain; the client's own script makes a working host of it."""
    with Home(leases=False) as home:
        host = home.hosts[0]
        lease = lease_by(client, host)
        assert POOL[0] <= ipaddress.ip_address(lease.address) <= POOL[1], lease
        assert (lease.mask, lease.router, lease.dns, lease.server) == ("255.255.255.0", ROUTER, ROUTER, ROUTER)
        assert (lease.lease_s, lease.domain) == (43200, "lan")
        assert host.address() == (lease.address, 24)
        assert f"nameserver {ROUTER}" in host.read("/etc/resolv.conf")
        assert f"default via {ROUTER}" in host.ip("route")
        assert host.run("curl", "-sS", "-m", 20, "http://files.example/who").stdout


def test_clients_at_once_get_different_addresses():
    """Three hosts with three clients."""
    with Home(hosts=3, leases=False) as home:
        leases = [lease_by(client, host) for client, host in zip(CLIENTS, home.hosts)]
        assert len({lease.address for lease in leases}) == 3, leases
        out = home.hosts[0].run("ping", "-c", 1, "-W", 5, leases[2].address).stdout
        assert " 0% packet loss" in out, out


@pytest.mark.parametrize("client", CLIENTS)
def test_asking_again_keeps_the_address(home, client):
    """The same client, started anew, is given what it had."""
    host = home.hosts[0]
    first = lease_by(client, host)
    end(client, host)
    again = lease_by(client, host)
    end(client, host)
    assert again.address == first.address


def test_renewal_keeps_the_address(home):
    """udhcpc told to renew asks the server it knows, unicast, and is acknowledged."""
    host = home.hosts[1]
    first = stay(host)
    with Capture(host, outgoing=True) as capture:
        signal("udhcpc", host, "USR1")
        wait_until(lambda: "== renew" in host.read("/run/lease.log"), 20, "udhcpc has renewed")
        request = capture.wait_for(lambda f: f[12:14] == b"\x08\x00" and f[23] == 17 and f[36:38] == b"\0\x43")
    assert read_lease("udhcpc", host).address == first.address
    assert ipaddress.ip_address(request[30:34]) == ipaddress.ip_address(ROUTER), "the renewal was no unicast"
    signal("udhcpc", host, "TERM")


def test_renewal_by_the_clock():
    """A lease of 30 s is renewed by dhclient at half its time, and the host never loses its address."""
    with Home(config=f"net=lan,nat,lease={SHORT_LEASE_S}s", leases=False) as home:
        host = home.hosts[0]
        lease = lease_by("dhclient", host)
        assert lease.lease_s == SHORT_LEASE_S
        wait_until(lambda: "== eth0 RENEW" in host.read("/run/lease.log")
                   or " RENEW\n" in host.read("/run/lease.log"), SHORT_LEASE_S + 10, "dhclient has renewed")
        assert host.address()[0] == lease.address
        assert read_lease("dhclient", host).address == lease.address


@pytest.mark.parametrize("client", ["dhclient", "udhcpc"])
def test_release_frees_the_only_address(client):
    """A pool of one: the second host gets nothing until the first has given it back."""
    config = "net=lan,nat,pool=192.168.8.100-192.168.8.100"
    with Home(hosts=2, config=config, leases=False) as home:
        one, two = home.hosts
        first = stay(one) if client == "udhcpc" else lease_by(client, one)
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


def test_wrong_address_is_refused_and_mended(home):
    """A client that comes from another network, with a lease of there, hears NAK and starts over."""
    host = home.hosts[1]
    prepare("dhclient", host)
    host.run("sh", "-c", "cat >/run/dhclient.leases", stdin="""lease {
  interface "eth0";
  fixed-address 10.1.2.3;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 86400;
  option dhcp-server-identifier 10.1.2.1;
  renew 4 2037/01/01 00:00:00;
  rebind 5 2037/01/02 00:00:00;
  expire 6 2037/01/03 00:00:00;
}
""")
    with Capture(host) as capture:
        lease = lease_by("dhclient", host)
        nak = capture.wait_for(lambda f: b"\x63\x82\x53\x63" in f and b"\x35\x01\x06" in f, 1)
    end("dhclient", host)
    assert nak, lease.log
    assert "DHCPNAK" in lease.log and lease.address.startswith("192.168.8."), lease.log


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


def test_same_address_after_a_restart():
    """Without a disk: the address follows from the client, so a restart changes nothing for it."""
    with Home(hosts=2) as home:
        before = [lease.address for lease in home.leases]
        home.restart()
        after = [lease_by("udhcpc", host).address for host in reversed(home.hosts)]
        assert list(reversed(after)) == before


def test_uplink_without_a_server_is_patient():
    """No DHCP outside: the LAN has its leases all the same, and the uplink comes up when the server does."""
    with Home(upstream=False) as home:
        host = home.hosts[0]
        assert host.run("ping", "-c", 1, "-W", 5, ROUTER).returncode == 0
        assert host.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode != 0
        home.outside.start_isp()
        wait_until(lambda: host.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0, 60,
                   "the outside is reached once the ISP's server is there")
