# SPDX-License-Identifier: BSD-3-Clause
"""DHCP: four real clients, from the first question to the release, and a crowd of them.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]
"""

import ipaddress
import re
import subprocess

import pytest
from scapy.all import BOOTP, DHCP, IP, Ether

from lab.clients import end, lease_by, prepare, read_lease, release, signal, stay
from lab.home import ROUTER, Capture, Home, host_mac
from lab.outside import SERVER, wait_until
from lab.talk import connect, listening

CLIENTS = ["udhcpc", "dhclient", "dhcpcd", "networkd"]
POOL = (ipaddress.ip_address("192.168.8.100"), ipaddress.ip_address("192.168.8.250"))
SHORT_LEASE_S = 20
REQUEST, ACK = 3, 5
EXCHANGES, EXCHANGES_PER_S = 10000, 400


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


def stay_with(client, host):
    """A lease of a client that stays and keeps it. dhclient asks again after a second or two, not after ten or more: a
    short lease would be over by then."""
    if client == "udhcpc":
        return stay(host)
    host.run("sh", "-c", "echo 'initial-interval 1; backoff-cutoff 2;' >/run/dhclient.conf")
    return lease_by(client, host, arguments=("-cf", "/run/dhclient.conf") if client == "dhclient" else ())


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
        sent, received, twice, rejected, orphans = (
            sum(map(int, re.findall(rf"{name}: (\d+)", out)))
            for name in ("sent packets", "received packets", "non unique addresses", "rejected leases", "orphans"))
        status = home.router.status()
        status.check_sum()
        leased = int(re.search(r"lan: (\d+) of 16384 addresses leased", status.text).group(1))
        requests, offers, acks = map(int, re.search(
            r"requests (\d+)  offers (\d+)  acks (\d+)  naks 0  malformed 0  denied 0  refused 0  over share 0$",
            status.text, re.MULTILINE).groups())
        assert (twice, rejected, orphans) == (0, 0, 0), out
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
