# SPDX-License-Identifier: BSD-3-Clause
"""DHCP: four real clients, from the first question to renewals by the clock.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]
"""

import ipaddress

import pytest
from scapy.all import BOOTP, DHCP, IP, Ether

from lab.clients import end, lease_by, prepare, read_lease, signal, stay, stay_with
from lab.home import ROUTER, Capture, Home
from lab.outside import SERVER, wait_until
from lab.talk import connect, listening

CLIENTS = ["udhcpc", "dhclient", "dhcpcd", "networkd"]
POOL = (ipaddress.ip_address("192.168.8.100"), ipaddress.ip_address("192.168.8.250"))
SHORT_LEASE_S = 20
REQUEST, ACK = 3, 5


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
    """Four hosts with four clients."""
    with Home(hosts=4, leases=False) as home:
        leases = [lease_by(client, host) for client, host in zip(CLIENTS, home.hosts)]
        assert len({lease.address for lease in leases}) == 4, leases
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


def dhcp_messages(capture):
    """What passed of DHCP: (type, IP target, ciaddr, server), a row a message."""
    rows = []
    for packet in map(Ether, capture.frames):
        if packet.haslayer(DHCP):
            options = dict(option[:2] for option in packet[DHCP].options if isinstance(option, tuple))
            rows.append((options["message-type"], packet[IP].dst, packet[BOOTP].ciaddr, options.get("server_id")))
    return rows


def renewed(capture, address, target):
    """True if the client asked target for the address it has, naming no server, and was acknowledged then."""
    rows = dhcp_messages(capture)
    asked = (REQUEST, target, address, None)
    return asked in rows and any(row[0] == ACK for row in rows[rows.index(asked):])


def test_renewals_and_rebinds_by_the_clock():
    """A lease of 20 s: each client asks the router alone at half of it; then it cannot reach the router's MAC, and
    asks all at seven eighths. It keeps its address, and the host its connection to the outside, all the while."""
    with Home(hosts=len(CLIENTS), config=f"net=lan,nat,lease={SHORT_LEASE_S}s", leases=False) as home, \
            listening(home.outside.server, 7000) as server:
        leases = [stay_with(client, host) for client, host in zip(CLIENTS, home.hosts)]
        assert [lease.lease_s for lease in leases] == [SHORT_LEASE_S] * len(CLIENTS)
        pairs = [(connect(host, SERVER, 7000), server.accept()[0]) for host in home.hosts]
        for target, limit_s in ((ROUTER, SHORT_LEASE_S), ("255.255.255.255", 2 * SHORT_LEASE_S)):
            captures = [Capture(host, outgoing=True) for host in home.hosts]
            for capture in captures:
                capture.__enter__()
            if target != ROUTER:
                for host in home.hosts:
                    host.ip("neigh", "replace", ROUTER, "lladdr", "02:00:00:00:00:99", "nud", "permanent",
                            "dev", "eth0")
            for client, lease, capture in zip(CLIENTS, leases, captures):
                wait_until(lambda c=capture, a=lease.address: renewed(c, a, target), limit_s,
                           f"{client} has asked {target}")
                capture.__exit__()
        for host, lease, (ours, theirs) in zip(home.hosts, leases, pairs):
            host.ip("neigh", "del", ROUTER, "dev", "eth0")
            assert host.address()[0] == lease.address
            ours.sendall(b"still")
            assert theirs.recv(10) == b"still"
            ours.close()
            theirs.close()


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
