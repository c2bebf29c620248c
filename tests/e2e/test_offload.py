# SPDX-License-Identifier: BSD-3-Clause
"""Offloads: TCP through NAT with them is several times TCP without, and right in every mixture.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp] 198.51.100.10 iperf3, web
"""

import json

import pytest

from lab.home import Home, exchange
from lab.outside import SERVER

pytestmark = pytest.mark.virtio("its offloads, one by one")

RATIO_MIN = 3.0
SECONDS, ROUNDS = 3, 3
FILE_MB = 10
DEVICE_OFF = ("csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,"
              "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off")
HOST_OFF = ("tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")


def rate(home, *options):
    """What iperf3 finds, in bits a second."""
    out = home.hosts[0].run("iperf3", "-c", SERVER, "-t", SECONDS, "-J", *options, timeout=60).stdout
    return json.loads(out)["end"]["sum_received"]["bits_per_second"]


def plain(home):
    """Turns the offloads of both ends' interfaces off."""
    for host in (home.outside.host, home.hosts[0]):
        host.run("ethtool", "-K", "eth0", *HOST_OFF)


@pytest.fixture(scope="module", name="with_offloads")
def fixture_with_offloads():
    """Everything on, as it comes."""
    with Home() as made:
        made.outside.start_iperf()
        yield made


@pytest.fixture(scope="module", name="without_offloads")
def fixture_without_offloads():
    """Nothing on: neither in the devices nor in the hosts."""
    with Home(properties=DEVICE_OFF) as made:
        plain(made)
        made.outside.start_iperf()
        yield made


@pytest.mark.alone
@pytest.mark.parametrize("options", [(), ("-R",)], ids=["up", "down"])
def test_offloads_are_several_times_faster(with_offloads, without_offloads, options, say):
    """The figure that super-packets are for."""
    fast = slow = 0
    for _ in range(ROUNDS):  # other work on the machine only makes a rate less: the best count
        fast, slow = max(fast, rate(with_offloads, *options)), max(slow, rate(without_offloads, *options))
        if fast >= RATIO_MIN * slow:
            break
    say(f"TCP with offloads {fast / 1e6:.0f} Mb/s, without {slow / 1e6:.0f} Mb/s: {fast / slow:.1f} times")
    assert fast >= RATIO_MIN * slow, (fast, slow)


@pytest.mark.alone
def test_both_homes_add_up(with_offloads, without_offloads):
    """Not one packet is unaccounted for, in either."""
    with_offloads.router.status().check_sum()
    without_offloads.router.status().check_sum()


MIXTURES = {  # properties of (uplink, LAN), and whether the hosts' own offloads are off
    "lan-without": ("", DEVICE_OFF, False),
    "uplink-without": (DEVICE_OFF, "", False),
    "csum-but-no-tso": ("host_tso4=off,guest_tso4=off", "host_tso4=off,guest_tso4=off", False),
    "tso-only-in": ("host_tso4=off,host_tso6=off", "", False),
    "tso-only-out": ("", "guest_tso4=off,guest_tso6=off", False),
    "no-mergeable-buffers": ("mrg_rxbuf=off", "mrg_rxbuf=off", False),
    "hosts-plain": ("", "", True),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_every_mixture_is_right(name):
    """What one port has and the other has not is made up in software: files arrive whole, both ways."""
    uplink, lan, hosts_plain = MIXTURES[name]
    with Home(properties=(uplink, lan)) as home:
        if hosts_plain:
            plain(home)
        exchange(home.outside, home.hosts[0], FILE_MB)
        home.router.status().check_sum()
