# SPDX-License-Identifier: BSD-3-Clause
"""Ports: many of them, cables pulled and plugged, and every shape of virtio-net.

    [lan1] eth0 ---- port 1 [        ]
      ...                   [ router ] port 0 ---- eth0 [isp] 198.51.100.10
    [lanN] eth0 ---- port N [        ]
"""

import pytest

from lab.clients import lease_by
from lab.home import ROUTER, Home, fetch
from lab.outside import SERVER, wait_until
from lab.router import Port, Router

FILE_MB = 5
SHAPES = {
    "modern": "disable-legacy=on,disable-modern=off",
    "legacy": "disable-modern=on,disable-legacy=off",
    "transitional": "disable-modern=off,disable-legacy=off",
    "no-mergeable-buffers": "mrg_rxbuf=off",
    "legacy-no-mergeable-buffers": "disable-modern=on,disable-legacy=off,mrg_rxbuf=off",
    "packed-offered": "packed=on",
    "no-event-index": "event_idx=off",
    "no-indirect": "indirect_desc=off",
    "no-checksums": "csum=off,guest_csum=off",
    "no-guest-tso": "guest_tso4=off,guest_tso6=off",
    "no-host-tso": "host_tso4=off,host_tso6=off",
    "no-msi-x": "vectors=0",
    "legacy-no-msi-x": "disable-modern=on,disable-legacy=off,vectors=0",
    "no-control-queue": "ctrl_vq=off",
    "no-status": "status=off",
    "big-rings": "rx_queue_size=1024",
    "host-mtu": "host_mtu=1500",
}


@pytest.mark.virtio("its shapes", pci=True)
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_virtio_net(name):
    """A lease, a page and a file through two ports of that shape."""
    with Home(properties=SHAPES[name]) as home:
        expected = home.outside.make_file("file", FILE_MB)
        fetch(home.hosts[0], "file", "/run/down", timeout=40)
        assert home.hosts[0].run("sha256sum", "/run/down").stdout.split()[0] == expected
        home.router.status().check_sum()


@pytest.mark.virtio("MSI-X", pci=True)
def test_no_msi_x_on_pc():
    """INTx by way of pc's interrupt routing."""
    with Home(properties="vectors=0", machine="pc") as home:
        out = home.hosts[0].run("ping", "-c", 20, "-i", 0.05, "-W", 2, SERVER).stdout
        assert " 0% packet loss" in out, out


@pytest.mark.virtio("its shapes", pci=True)
def test_shapes_beside_each_other():
    """A different shape on every port of one router."""
    names = ["legacy", "modern", "no-mergeable-buffers", "no-checksums", "no-msi-x"]
    with Home(hosts=len(names), properties=("event_idx=off", [SHAPES[name] for name in names])) as home:
        first = home.hosts[0].address()[0]
        for host in home.hosts:
            assert fetch(host, "who")[1] > 0
            assert host.run("ping", "-c", 2, "-i", 0.1, "-W", 2, first).returncode == 0


def test_sixteen_ports():
    """One uplink and fifteen LAN hosts, each with a lease, a name and a way out, and to each other."""
    with Home(hosts=15) as home:
        assert len({lease.address for lease in home.leases}) == 15
        for host in home.hosts:
            assert fetch(host, "who")[1] > 0
        last = home.hosts[-1].address()[0]
        assert home.hosts[0].run("ping", "-c", 2, "-i", 0.1, "-W", 2, last).returncode == 0
        status = home.router.status()
        assert [port.state for port in status.ports] == ["up"] * 16
        status.check_sum()


def test_ports_are_numbered_in_pci_order():
    """Port N is the N-th device: the uplink moves to where uplink= says."""
    with Home(hosts=2, config="uplink=2,ip=192.0.2.10/24,gw=192.0.2.1", leases=False) as home:
        # Port 0, the outside's, is a LAN port now: its ISP gets what a LAN host gets.
        home.outside.stop_isp()
        home.outside.host.ip("addr", "flush", "dev", "eth0")
        assert lease_by("udhcpc", home.outside.host).router == ROUTER
        assert lease_by("udhcpc", home.hosts[0]).router == ROUTER
        home.hosts[1].ip("addr", "add", "192.0.2.1/24", "dev", "eth0")
        out = home.hosts[0].run("ping", "-c", 2, "-i", 0.2, "-W", 5, "192.0.2.1").stdout
        assert " 0% packet loss" in out, out


def test_lan_cable_pulled_and_plugged(home):
    """The port goes down and up again; the other host does not notice; traffic comes back by itself."""
    one, two = home.hosts
    home.router.set_link(1, False)
    wait_until(lambda: home.router.status().ports[1].state == "down", 10, "port 1 is down")
    assert one.run("ping", "-c", 1, "-W", 1, ROUTER, check=False).returncode != 0
    assert two.run("ping", "-c", 2, "-i", 0.2, "-W", 5, SERVER).returncode == 0
    home.router.set_link(1, True)
    wait_until(lambda: one.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0, 20,
               "host 1 reaches the outside again")
    assert home.router.status().ports[1].state == "up"


def test_uplink_cable_pulled_and_plugged(home):
    """Without the uplink hosts are told so, or at least not left to the outside; with it all is as before."""
    one, two = home.hosts
    home.router.set_link(0, False)
    wait_until(lambda: home.router.status().ports[0].state == "down", 10, "the uplink is down")
    assert one.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode != 0
    assert one.run("ping", "-c", 1, "-W", 5, two.address()[0]).returncode == 0
    assert one.run("ping", "-c", 1, "-W", 5, ROUTER).returncode == 0
    home.router.set_link(0, True)
    wait_until(lambda: one.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0, 30,
               "the outside is reached again")
    home.router.status().check_sum()


def test_connection_survives_a_short_break_of_the_uplink(home):
    """A download that stands while the cable is out goes on when it is back."""
    expected = home.outside.make_file("big", 50)
    host = home.hosts[0]
    process = host.spawn("curl", "-sS", "-f", "-m", "90", "--limit-rate", "20M", "-o", "/run/big",
                         "http://files.example/big")
    wait_until(lambda: host.run("sh", "-c", "[ -s /run/big ]", check=False).returncode == 0, 20,
               "the download has begun", process)
    home.router.set_link(0, False)
    wait_until(lambda: home.router.status().ports[0].state == "down", 10, "the uplink is down")
    home.router.set_link(0, True)
    assert process.wait(100) == 0
    assert host.run("sha256sum", "/run/big").stdout.split()[0] == expected


def test_a_network_device_without_a_driver_is_named():
    """One port fewer than NICs: the console says which one, and what to do."""
    port, ours = Port.frames()
    with ours, Router([port], extra=["-device", "rtl8139"]) as router:
        router.wait_for(r"00:\d\d\.0: no driver for this network device \(10ec:8139\); it is not used")
        router.wait_for(r"^ready ")
        assert len(router.status().ports) == 1
