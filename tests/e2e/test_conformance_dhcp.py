# SPDX-License-Identifier: BSD-3-Clause
"""The DHCP server in virtual time, frames by hand: RFC 2131 and those around it, and starvation. The drawing is
lab/wires.py's."""

import re

import pytest
from scapy.all import BOOTP, DHCP, IP, UDP, Ether, Raw, raw

from lab.requirements import requirement
from lab.wires import ROUTER, Stage

NAK, ACK, OFFER = 6, 5, 2
TYPES = {"discover": 1, "request": 3, "decline": 4, "release": 7, "inform": 8}
COOKIE = b"\x63\x82\x53\x63"
PROBE_S = 0.3  # a little longer than an offer may wait for ARP
BROADCAST = 0x8000
ALL = "ff:ff:ff:ff:ff:ff"


def mac_number(number):
    """The MAC of a client."""
    return f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def option(code, value):
    """An option's bytes."""
    return bytes([code, len(value)]) + value


def address(text):
    """Four bytes."""
    return bytes(map(int, text.split(".")))


def message(mac, kind, *options, ciaddr="0.0.0.0", flags=BROADCAST, xid=7, tail=b"\xff", to=ALL, **fields):
    """A DHCP message of the client with that MAC, as a frame. options and tail: bytes."""
    chaddr = bytes.fromhex(mac.replace(":", ""))
    return raw(Ether(src=mac, dst=to) / IP(src=ciaddr, dst="255.255.255.255" if to == ALL else ROUTER) /
               UDP(sport=68, dport=67) /
               BOOTP(xid=xid, ciaddr=ciaddr, chaddr=chaddr, flags=flags, options=COOKIE, **fields) /
               Raw(option(53, bytes([TYPES[kind]])) + b"".join(options) + tail))


def requested(text):
    """Option 50."""
    return option(50, address(text))


def server(text=ROUTER):
    """Option 54."""
    return option(54, address(text))


def values(answer):
    """The options of an answer, by code, in bytes."""
    found, left = {}, raw(answer[BOOTP])[240:]
    while left and left[0] != 255:
        if left[0] == 0:
            left = left[1:]
            continue
        found[left[0]] = found.get(left[0], b"") + left[2:2 + left[1]]
        left = left[2 + left[1]:]
    return found


def answers(frames):
    """The DHCP messages among frames."""
    return [answer for answer in map(Ether, frames) if answer.haslayer(DHCP)]


def exchange(stage, *frames, line=1):
    """Sends frames on a line; the answers on it, those that had to wait too."""
    got = answers(stage.put(stage.lan[line - 1], *frames).frames[line])
    if not got:
        stage.pass_time(PROBE_S)
        got = answers(stage.put().frames[line])
    return got


def dhcp(stage, mac, kind, *options, line=1, **fields):
    """Sends a message from a MAC on a line; the answers' (type, address)."""
    return [(values(answer)[53][0], answer[BOOTP].yiaddr)
            for answer in exchange(stage, message(mac, kind, *options, **fields), line=line)]


def take(stage, mac, *options, line=1, anew=False):
    """Discover and request; the address, or None. anew: who is refused begins once more, as clients do."""
    for kind, offered in dhcp(stage, mac, "discover", *options, line=line):
        assert kind == OFFER
        if anew and dhcp(stage, mac, "request", server(), requested(offered), *options, line=line)[0][0] == NAK:
            return take(stage, mac, *options, line=line)
        assert dhcp(stage, mac, "request", server(), requested(offered), *options, line=line) == [(ACK, offered)]
        return offered
    return None


# ---- RFC 2131 ----

@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """A router with a pool of 100."""
    with Stage("net=lan,nat,pool=192.168.8.100-192.168.8.199") as made:
        yield made


@requirement("D1", "RFC 2131 s. 4.1")
@requirement("D2", "RFC 2131 s. 4.3.1")
def test_where_answers_go_and_what_they_echo(stage):
    """To the relay, to the address in use, to all, or to the client's own frame address, in this order; identifier,
    flags, relay and hardware address come back, with the options every offer and acknowledgement must have."""
    mac, relay_mac, relay, mine = mac_number(1), mac_number(2), "192.168.8.50", "192.168.8.150"
    router = stage.a.line.router_mac
    rows = [  # what is asked and how, where the answer goes: MAC, address, port
        ("discover", {"flags": 0}, (mac, mine, 68)),
        ("discover", {}, (ALL, "255.255.255.255", 68)),
        ("discover", {"giaddr": relay}, (relay_mac, relay, 67)),
        ("request", {"flags": 0}, (mac, mine, 68)),
        ("request", {"ciaddr": mine}, (mac, mine, 68)),
        ("request", {"giaddr": relay, "flags": 0}, (relay_mac, relay, 67)),
    ]
    for number, (kind, fields, (to_mac, to, port)) in enumerate(rows):
        flags = fields.get("flags", BROADCAST)
        frame = message(mac, kind, requested(mine), xid=0x51D10000 + number, **fields)
        if "giaddr" in fields:  # a relay sends it on in its own name
            frame = raw(Ether(src=relay_mac, dst=router) / IP(src=relay, dst=ROUTER) / UDP(sport=67, dport=67) /
                        Raw(raw(Ether(frame)[UDP].payload)))
        answer, = exchange(stage, frame)
        assert (answer.dst, answer[IP].dst, answer[UDP].dport) == (to_mac, to, port), number
        assert answer[IP].src == ROUTER and answer[UDP].sport == 67
        bootp, options = answer[BOOTP], values(answer)
        assert (bootp.op, bootp.xid, int(bootp.flags), bootp.giaddr) == \
            (2, 0x51D10000 + number, flags, fields.get("giaddr", "0.0.0.0"))
        assert bootp.chaddr[:6] == bytes.fromhex(mac.replace(":", "")) and bootp.yiaddr == mine
        assert options[53] == bytes([OFFER if kind == "discover" else ACK]) and options[54] == address(ROUTER)
        lease_s, t1, t2 = (int.from_bytes(options[code], "big") for code in (51, 58, 59))
        assert (lease_s, t1, t2) == (43200, 21600, 37800)


@requirement("D1", "RFC 2131 s. 4.3.2")
@requirement("D3", "RFC 2131 s. 4.3.2")
def test_refusals(stage):
    """A wrong network is refused to all; another client's address too; an address of the right network that is free
    is confirmed to a client we do not know, as we remember nothing over a restart; another server's client is left."""
    holder, other = mac_number(10), mac_number(11)
    mine = take(stage, holder)
    answer, = exchange(stage, message(other, "request", requested("10.1.2.3"), flags=0))
    assert values(answer)[53] == bytes([NAK]) and (answer.dst, answer[IP].dst) == (ALL, "255.255.255.255")
    assert answer[BOOTP].yiaddr == "0.0.0.0" and 51 not in values(answer)
    assert [kind for kind, _ in dhcp(stage, other, "request", requested(mine))] == [NAK]
    assert [kind for kind, _ in dhcp(stage, other, "request", ciaddr=mine)] == [NAK]
    assert dhcp(stage, other, "request", requested("192.168.8.177")) == [(ACK, "192.168.8.177")]
    (_, offered), = dhcp(stage, mac_number(12), "discover", requested("192.168.8.178"))
    assert dhcp(stage, mac_number(12), "request", server("192.168.8.77"), requested(offered)) == []
    assert dhcp(stage, mac_number(13), "request", requested(offered)) == [(ACK, offered)], "the offer stood still"


@requirement("D4", "RFC 4361, RFC 6842")
def test_the_identifier_is_the_client(stage):
    """Opaque, of type 255 too, and given back; another card with it is the same client if the first is silent, and
    two at once are two."""
    ident = option(61, b"\xff\0\0\0\1\0\2\0\0\xab\x11opaque")
    first, second = mac_number(20), mac_number(21)
    mine = take(stage, first, ident)
    answer, = exchange(stage, message(first, "request", ident, ciaddr=mine))
    assert option(61, values(answer)[61]) == ident
    assert take(stage, first) != mine, "without the identifier it is another client"
    assert take(stage, second, ident) == mine, "another card, and the first is silent"
    stage.lines[1].hosts[mine] = second  # now it answers ARP
    third = take(stage, mac_number(22), ident, anew=True)  # on a busy machine ARP is answered too late for the offer
    del stage.lines[1].hosts[mine]
    assert third not in (None, mine)
    assert dhcp(stage, second, "request", ident, ciaddr=mine) == [(ACK, mine)]
    assert dhcp(stage, mac_number(22), "request", ident, ciaddr=third) == [(ACK, third)]


@requirement("D5", "RFC 2131 s. 4.3.3 to 4.3.5")
def test_decline_release_and_inform(stage):
    """What a client found in use goes to nobody, and the console says so; what it gives back, to anybody; who has an
    address otherwise is told everything but a lease."""
    first, second = mac_number(30), mac_number(31)
    mine = take(stage, first)
    assert dhcp(stage, second, "decline", server(), requested(mine)) == [], "not its own"
    assert [kind for kind, _ in dhcp(stage, second, "request", requested(mine))] == [NAK]
    assert dhcp(stage, first, "decline", server(), requested(mine)) == []
    stage.router.wait_for(rf"{mine} is in use by another host, says {first}")
    assert [kind for kind, _ in dhcp(stage, second, "request", requested(mine))] == [NAK]
    other = take(stage, first)
    assert other != mine
    assert dhcp(stage, first, "release", server(), ciaddr=other) == []
    assert dhcp(stage, second, "request", requested(other)) == [(ACK, other)]
    answer, = exchange(stage, message(mac_number(32), "inform", ciaddr="192.168.8.20"))
    options = values(answer)
    assert options[53] == bytes([ACK]) and answer[BOOTP].yiaddr == "0.0.0.0" and answer[IP].dst == "192.168.8.20"
    assert not {51, 58, 59} & set(options) and options[3] == address(ROUTER) and options[1] == address("255.255.255.0")


@requirement("R8", "RFC 768")
def test_a_checksum_of_zero(stage):
    """An answer whose checksum comes to 0 is sent without one: dhcpcd 9 takes FFFF for a wrong checksum, and would be
    given the same answer each time it asked again."""
    def checksum(xid):
        answer, = exchange(stage, message(mac_number(33), "inform", ciaddr="192.168.8.21", xid=xid))
        return answer[UDP].chksum

    assert checksum(checksum(0)) == 0  # what the sum lacks of all ones is in the identifier
    assert checksum(checksum(0) - 1) == 1


@requirement("D6", "RFC 2131 s. 2.2")
def test_what_is_in_use_is_not_offered(stage):
    """Ten addresses of the pool are somebody's who never asked: ARP shows that, and no client is offered them."""
    taken = [f"192.168.8.{number}" for number in range(180, 190)]
    for text in taken:
        stage.lines[2].hosts[text] = stage.b.mac
    for number, text in enumerate(taken[:4]):
        (kind, got), = dhcp(stage, mac_number(40 + number), "discover", requested(text))
        assert kind == OFFER and got not in taken
    for text in taken:
        del stage.lines[2].hosts[text]
    assert int(re.search(r"probes \d+  in use (\d+) ", stage.status().text).group(1)) >= 4


@requirement("D6", "RFC 2131 s. 2.2")
def test_nobody_waits_for_others():
    """500 clients at once: each has its offer as soon as ARP has been asked, and who is known has it at once. What is
    more than a port may have of unanswered offers is not kept, but still free."""
    with Stage("net=lan,nat,ip=192.168.8.1/22,pool=192.168.9.0-192.168.11.200") as stage:
        known = mac_number(1000)
        take(stage, known)
        frames = [message(mac_number(number), "discover", xid=number) for number in range(500)]
        got = answers(stage.put(stage.a, *frames[:9], message(known, "discover", xid=1000), *frames[9:]).frames[1])
        assert got[0][BOOTP].xid == 1000
        for _ in range(2):
            stage.pass_time(PROBE_S)
            got += answers(stage.put().frames[1])
        lost = stage.status().drops.get("tx-full", 0)  # as many as come at once, if we are slow to read
        assert len({answer[BOOTP].xid for answer in got}) >= 501 - lost


@requirement("D2", "RFC 4578, RFC 2132 s. 9.4 and 9.5")
def test_machines_that_boot_from_the_network():
    """What PXE firmware asks with, old and new: the answer to discover and to request fits its message and names
    server and file, in the fields and in the options; a client that does not say how it boots is told the same."""
    pxe = [option(60, b"PXEClient:Arch:00007:UNDI:003016"), option(93, b"\0\7"), option(94, b"\1\3\x10"),
           option(97, b"\0" + bytes(range(16))), option(55, bytes([1, 3, 6, 43, 60, 66, 67, 128, 135])),
           option(57, b"\5\xc0")]
    config = "dhcpopt=lan:next-server:192.168.8.7 dhcpopt=lan:bootfile:boot/grubx64.efi"
    with Stage(config) as stage:
        for number, sent in ((1, pxe), (2, pxe[:1] + pxe[4:5]), (3, [])):
            mac = mac_number(number)
            offer, = exchange(stage, message(mac, "discover", *sent))
            ack, = exchange(stage, message(mac, "request", server(), requested(offer[BOOTP].yiaddr), *sent))
            for answer, kind in ((offer, OFFER), (ack, ACK)):
                options = values(answer)
                assert options[53] == bytes([kind]) and options[54] == address(ROUTER)
                assert answer[BOOTP].siaddr == "192.168.8.7"
                assert answer[BOOTP].file.rstrip(b"\0") == options[67] == b"boot/grubx64.efi"
                assert not {60, 93, 94, 97, 43} & set(options), "we are no boot server that offers choices"


@requirement("D7", "RFC 2132 s. 9.3, RFC 3396")
def test_options_of_every_form(stage):
    """Pads, options in the file and server name fields, in pieces, without an end; and cut short, with silence."""
    mac = mac_number(50)
    ident = option(61, b"abc") + b"\0\0" + option(61, b"de")
    answer, = exchange(stage, message(mac, "discover", b"\0\0", option(52, b"\3"), ident,
                                      file=option(61, b"fg") + b"\xff", sname=option(61, b"h") + b"\xff"))
    assert values(answer)[61] == b"abcdefgh"
    assert [kind for kind, _ in dhcp(stage, mac, "discover", ident, tail=b"")] == [OFFER]
    for bad in (b"\x32", b"\x32\4\1", option(52, b"\4"), option(50, b"\1\2\3"), option(52, b"\1\1")):
        assert dhcp(stage, mac, "discover", tail=bad) == []


@requirement("D7", "RFC 2132 s. 9.3, RFC 3396")
def test_given_options():
    """dhcpopt= as a boot ROM sees it: the server, the file, search list, routes with the router's own address, an
    option in pieces; and in the small message of a client that says nothing of its size, what it asked for."""
    long = "ab" * 300
    config = ("dhcpopt=lan:next-server:192.168.8.7 dhcpopt=lan:bootfile:pxelinux.0 dhcpopt=lan:search:a.example+b"
              f" dhcpopt=lan:routes:10.0.0.0/8-192.168.8.2+default dhcpopt=lan:224:0x{long} dhcpopt=lan:66:boot.lan")
    with Stage(config) as stage:
        answer, = exchange(stage, message(mac_number(1), "discover", option(57, b"\5\xdc")))
        options = values(answer)
        assert answer[BOOTP].siaddr == "192.168.8.7" and options[67] == b"pxelinux.0" and options[66] == b"boot.lan"
        assert answer[BOOTP].file.rstrip(b"\0") == b"pxelinux.0" and answer[BOOTP].sname.rstrip(b"\0") == b"boot.lan"
        assert options[119] == b"\1a\7example\0\1b\0"
        assert options[121] == bytes([8, 10]) + address("192.168.8.2") + b"\0" + address(ROUTER)
        assert options[224] == bytes.fromhex(long)
        answer, = exchange(stage, message(mac_number(1), "discover", option(55, b"\x77")))
        assert len(raw(answer[UDP].payload)) <= 548 and 119 in values(answer) and 224 not in values(answer)
        assert "left out 1" in stage.status().text


@requirement("D8", "RFC 2131 s. 2.2")
def test_the_same_address_after_a_restart():
    """Without a disk: it follows from the client."""
    taken = []
    for order in (range(4), (2, 0, 3, 1)):
        with Stage() as stage:
            got = {number: take(stage, mac_number(60 + number)) for number in order}
            taken.append([got[number] for number in range(4)])
    assert taken[0] == taken[1] and len(set(taken[0])) == 4


def test_a_pool_of_a_whole_16():
    """65,533 addresses in a machine of 64 MB, served at once; random clients get addresses all over it."""
    config = "net=lan,nat,ip=10.0.0.1/16,pool=10.0.0.2-10.0.255.254"
    with Stage(config, subnet="10.0.0", router_ip="10.0.0.1") as stage:
        offers = [dhcp(stage, mac_number(number), "discover") for number in range(8)]
        addresses = {address_of for (_, address_of), in offers}
        assert len(addresses) == 8 and len({text.split(".")[2] for text in addresses}) > 3, addresses
        assert "lan: 0 of 65533 addresses leased" in stage.status().text


# ---- starvation ----

@pytest.fixture(scope="module", name="starved")
def fixture_starved():
    """A router, a's leased address, and how many addresses random clients on b's port then got."""
    with Stage("net=lan,nat,pool=192.168.8.100-192.168.8.129") as stage:
        mine = take(stage, stage.a.mac)
        granted = sum(take(stage, mac_number(100 + number), line=2) is not None for number in range(40))
        yield stage, mine, granted


@requirement("starvation", "DHCP starvation")
def test_a_lease_outlasts_starvation(starved):
    """Who has a lease has it again after a reboot of his, and can begin anew."""
    stage, mine, granted = starved
    assert 10 <= granted <= 24, "a port's share is four fifths"
    assert dhcp(stage, stage.a.mac, "request", requested(mine)) == [(ACK, mine)], "after a reboot"
    assert take(stage, stage.a.mac) == mine


@requirement("starvation", "DHCP starvation")
def test_one_port_cannot_take_the_whole_pool(starved):
    """New clients on another port still get leases; the console and the status say why others do not."""
    stage, _, granted = starved
    taken = {take(stage, f"52:54:00:aa:00:7{number}") for number in range(3)}
    assert len(taken) == 3 and None not in taken
    stage.router.wait_for(rf"port 2 holds {granted} of 30 addresses, its share")
    text = stage.status().text
    assert f"lan: port 2 holds {granted}, " in text and f"over share {40 - granted}" in text, text
