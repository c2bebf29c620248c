# SPDX-License-Identifier: BSD-3-Clause
"""The DHCP server in virtual time, frames by hand: RFC 2131 and those around it, and starvation. The drawing is
lab/wires.py's."""

import pytest
from scapy.all import BOOTP, DHCP, IP, UDP, Ether, raw

from lab.requirements import requirement
from lab.wires import ROUTER, Stage

NAK, ACK, OFFER = 6, 5, 2


def message(mac, kind, *options, ciaddr="0.0.0.0", flags=0x8000, xid=7, **fields):
    """A DHCP message of the client with that MAC, as a broadcast frame."""
    chaddr = bytes.fromhex(mac.replace(":", ""))
    return raw(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src=ciaddr, dst="255.255.255.255") /
               UDP(sport=68, dport=67) / BOOTP(xid=xid, ciaddr=ciaddr, chaddr=chaddr, flags=flags, **fields) /
               DHCP(options=[("message-type", kind), *options, "end"]))


def options_of(answer):
    """The options of an answer by scapy's names; the value of one with several values is a list."""
    return {option[0]: option[1] if len(option) == 2 else list(option[1:])
            for option in answer[DHCP].options if isinstance(option, tuple)}


def answers(frames):
    """The DHCP messages among frames."""
    return [answer for answer in map(Ether, frames) if answer.haslayer(DHCP)]


def dhcp(stage, mac, kind, *options, line=1, **fields):
    """Sends a message from a MAC on a line; the answers' (type, address)."""
    seen = stage.put(stage.lan[line - 1], message(mac, kind, *options, **fields))
    return [(options_of(answer)["message-type"], answer[BOOTP].yiaddr) for answer in answers(seen.frames[line])]


def take(stage, mac, line=1, *options):
    """Discover and request; the address, or None."""
    for kind, address in dhcp(stage, mac, "discover", *options, line=line):
        assert kind == OFFER
        assert dhcp(stage, mac, "request", ("server_id", ROUTER), ("requested_addr", address), *options,
                    line=line) == [(ACK, address)]
        return address
    return None


# ---- starvation ----

@pytest.fixture(scope="module", name="starved")
def fixture_starved():
    """A router, a's leased address, and how many addresses random clients on b's port then got."""
    with Stage("net=lan,nat,pool=192.168.8.100-192.168.8.129") as stage:
        address = take(stage, stage.a.mac)
        granted = sum(take(stage, f"06:00:00:00:00:{number:02x}", 2) is not None for number in range(40))
        yield stage, address, granted


@requirement("starvation", "DHCP starvation")
def test_a_lease_outlasts_starvation(starved):
    """Who has a lease has it again after a reboot of his, and can begin anew."""
    stage, address, granted = starved
    assert 10 <= granted <= 24, "a port's share is four fifths"
    assert dhcp(stage, stage.a.mac, "request", ("requested_addr", address)) == [(ACK, address)], "after a reboot"
    assert take(stage, stage.a.mac) == address


@requirement("starvation", "DHCP starvation")
def test_one_port_cannot_take_the_whole_pool(starved):
    """New clients on another port still get leases; the console and the status say why others do not."""
    stage, _, granted = starved
    taken = {take(stage, f"52:54:00:aa:00:7{number}") for number in range(3)}
    assert len(taken) == 3 and None not in taken
    stage.router.wait_for(rf"port 2 holds {granted} of 30 addresses, its share")
    text = stage.status().text
    assert f"lan: port 2 holds {granted}, " in text and f"over share {40 - granted}" in text, text
