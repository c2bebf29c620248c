# SPDX-License-Identifier: BSD-3-Clause
"""What a NAT router owes, a row a requirement; and the mark by which a test says which of them it tries.

    @requirement("U1", "RFC 4787 REQ-1")
    @requirement("U14", "RFC 4787 REQ-14", missing="why the router does not meet it")

A test marked missing is expected to fail, strictly: once it passes, it fails the run until the mark is taken away. So
the marks are the truth, and tools/conformance writes docs/conformance.md from them without running anything.
"""

import pytest

# (section, rows of (id, source, what it asks))
REQUIREMENTS = [
    ("NAT, UDP: RFC 4787", [
        ("U1", "REQ-1", "endpoint-independent mapping"),
        ("U2", "REQ-2", "paired address pooling"),
        ("U3", "REQ-3", "no two inside endpoints on one outside port; system ports stay among themselves"),
        ("U4", "REQ-4", "an even port becomes an even one, an odd one odd"),
        ("U5", "REQ-5", "a mapping lives 120 s at least, 300 s by default"),
        ("U6", "REQ-6", "packets from inside keep a mapping alive; those from outside do not"),
        ("U7", "REQ-7", "an outside that uses a network's own addresses causes no misrouting"),
        ("U8", "REQ-8", "endpoint-independent filtering; address-dependent where filter= says so"),
        ("U9", "REQ-9", "hairpinning, with the outside address as the source"),
        ("U10", "REQ-10", "payloads are not looked at (no ALG)"),
        ("U11", "REQ-11", "the same behaviour under load and after collisions"),
        ("U12", "REQ-12", "no ICMP error ends a mapping; errors from any source are heard"),
        ("U13", "REQ-13", "too big with DF: ICMP 3/4 with the next MTU; without DF: fragments, in order"),
        ("U14", "REQ-14", "fragments are taken in any order, and floods of them cost others nothing"),
    ]),
    ("NAT, TCP: RFC 5382 and RFC 7857", [
        ("T1", "RFC 5382 REQ-1", "endpoint-independent mapping"),
        ("T2", "RFC 5382 REQ-2", "every valid way to open a connection, simultaneous open too"),
        ("T3", "RFC 5382 REQ-3", "endpoint-independent filtering; address-dependent where filter= says so"),
        ("T4", "RFC 5382 REQ-4", "an unsolicited SYN has no answer for 6 s; nor after that, by policy: nothing"
                                 " unsolicited from outside is answered"),
        ("T5", "RFC 5382 REQ-5", "an established connection lives 7,440 s idle, a half-open one 240 s"),
        ("T6", "RFC 5382 REQ-6", "payloads are not looked at (no ALG)"),
        ("T7", "RFC 5382 REQ-7", "no two inside endpoints on one outside port"),
        ("T8", "RFC 5382 REQ-8", "hairpinning, with the outside address as the source"),
        ("T9", "RFC 5382 REQ-9", "ICMP destination unreachable is translated"),
        ("T10", "RFC 5382 REQ-10", "no ICMP error ends a mapping or a connection"),
        ("T11", "RFC 7857 s. 2", "a RST is translated and its state kept 240 s; one that does not fit the connection"
                                 " changes nothing"),
        ("T12", "RFC 7857 s. 9, RFC 6056", "outside ports that are not the inside's own are unpredictable"),
    ]),
    ("NAT, ICMP: RFC 5508", [
        ("I1", "REQ-1", "queries pass, and the identifier's mapping is endpoint-independent"),
        ("I2", "REQ-2", "a query's mapping lives 60 s at least"),
        ("I3", "REQ-3", "wrong ICMP or embedded IP checksums are dropped; embedded transport checksums mean nothing"),
        ("I4", "REQ-4", "errors from outside: the embedded packet is the one that was sent"),
        ("I5", "REQ-5", "errors from inside: likewise, and the inside stays hidden"),
        ("I6", "REQ-6", "an error about a query neither refreshes nor ends its mapping"),
        ("I7", "REQ-7", "errors are hairpinned"),
        ("I8", "REQ-8", "what there is no room for is dropped with ICMP 3/13"),
        ("I10", "REQ-10", "unreachable, time exceeded and echo pass; source quench does not"),
    ]),
    ("NAT, other protocols", [
        ("O1", "RFC 2784, RFC 4303", "GRE and ESP pass by their addresses, untouched, one host a peer"),
        ("O2", "RFC 1812 s. 5.2.7.1", "what cannot be translated is refused with ICMP 3/2 inside, silently outside"),
    ]),
    ("Limits, router rules, fragments", [
        ("C4", "RFC 6888 REQ-4", "a limit of ports and state for each host"),
        ("C5", "RFC 6888 REQ-5", "a host that opens flows without end does not keep others from opening theirs"),
        ("C8", "RFC 6888 REQ-8", "a port that was freed is not given to another host for 120 s"),
        ("C11", "RFC 6888 REQ-11", "live mappings are never evicted to make room"),
        ("R1", "RFC 1812", "header checks; TTL and checksum; ICMP 11/0"),
        ("R2", "RFC 1812 s. 4.3.2", "about what no ICMP error is sent, and how much is quoted"),
        ("R3", "RFC 1812 s. 4.3.2.8", "ICMP errors are limited in rate, by destination and in all, with jitter"),
        ("R4", "RFC 1812, RFC 2644", "what is never forwarded: martians, directed broadcasts, source routes"),
        ("R5", "RFC 2827, RFC 3704", "sources belong where they come from"),
        ("R6", "RFC 6864", "fragmented datagrams of different hosts never share an identification"),
        ("R7", "RFC 879, RFC 6691", "the MSS of a SYN is made to fit, and never raised"),
        ("R8", "RFC 1624, RFC 768", "checksums are updated rightly; a UDP checksum of 0 stays 0, and none translated becomes 0"),
    ]),
    ("Switch: IEEE 802.1D and 802.1Q", [
        ("B1", "802.1D s. 7.12.6", "link-local groups stay on their link"),
        ("B2", "802.1D s. 7.7", "nothing leaves by the port it came from; unknown stations are flooded"),
        ("B3", "802.1D s. 7.9", "stations age after 300 s; one that moves is followed at once; our own MAC stays ours"),
        ("B4", "802.1D s. 6.3", "nothing is doubled or reordered; tags stay"),
        ("B5", "802.1D s. 7.9", "a bounded table: random sources cost the others nothing"),
        ("B6", "-", "host-only networks: not one frame to a port of another kind"),
    ]),
    ("DHCP server: RFC 2131, 2132, 3396, 4361, 6842", [
        ("D1", "RFC 2131 s. 4.1", "where an answer goes: relay, address in use, all, or the client's frame address"),
        ("D2", "RFC 2131 s. 4.3.1", "what is echoed, and what every offer and acknowledgement has"),
        ("D3", "RFC 2131 s. 4.3.2", "who is refused, and who is left alone"),
        ("D4", "RFC 4361, RFC 6842", "the client identifier comes first, is opaque, and is given back"),
        ("D5", "RFC 2131 s. 4.3.3 to 4.3.5", "decline, release and inform"),
        ("D6", "RFC 2131 s. 2.2", "an address is probed before it is offered anew, and nobody else waits for that"),
        ("D7", "RFC 2132 s. 9.3, RFC 3396", "options of every form; what is cut short is dropped"),
        ("D8", "RFC 2131 s. 2.2", "a client has the same address after a restart"),
    ]),
    ("Port control: NAT-PMP and PCP", [
        ("P1", "RFC 6886, RFC 6887", "heard inside only; the epoch; versions that are not known"),
        ("P2", "RFC 6886, RFC 6887", "only for the host's own address; lifetimes of 120 s to a day; 0 deletes"),
        ("P3", "RFC 6887", "only the nonce changes a mapping; lengths"),
    ]),
    ("DNS: RFC 5452, 5625 and 9267", [
        ("N1", "RFC 5452", "unpredictable ports and identifiers; only an answer that matches in everything counts"),
        ("N2", "RFC 5452 s. 5", "few questions alike are under way at a time"),
        ("N3", "RFC 5625", "what nobody knows passes unaltered; answers of any size, by UDP and TCP"),
        ("N4", "RFC 5625 s. 6.2, rebinding", "deaf outside; no answer of a server outside leads inside"),
        ("N5", "RFC 9267", "names that are too long, or that go round, are refused"),
    ]),
    ("Threats", [
        ("hijack", "ReDAN, TCP hijack behind NAT", "RSTs that do not fit a connection do not shorten its life; nobody"
                                                   " speaks for others"),
        ("shadow", "port shadow, CVE-2021-3773", "no host's outside port is one of the router's own or of a forward"),
        ("slipstream", "NAT slipstreaming", "no payload opens anything"),
        ("dns", "SAD DNS, CVE-2020-25705", "forged answers are not taken, and closed ports do not tell"),
        ("fragments", "CVE-2018-5391", "overlaps drop the datagram; floods cost others nothing"),
        ("starvation", "DHCP starvation", "a host with a lease keeps it"),
        ("macs", "MAC flood, ARP spoof", "bounded tables; nobody takes the router's address"),
        ("exhaustion", "SYN and UDP table exhaustion", "another host still opens flows; live ones go on"),
        ("bypass", "host-only bypass", "no packet of any kind leaves a host-only network"),
        ("blind", "RFC 5961, blind attacks on the router's own TCP", "no TCP port of the router is open outside"),
        ("cloned", "weak randomness, cloned VM", "two boots, and two copies of a running machine, choose differently"),
    ]),
]

# Rows without a test, and why.
NOT_APPLICABLE = {
    "U2": "there is one outside address",
}


def requirement(ident, source, missing=None):
    """Marks a test as one of the requirement's; missing says what it is expected to fail for."""
    assert any(ident == row[0] for _, rows in REQUIREMENTS for row in rows), ident

    def mark(test):
        test = pytest.mark.requirement(ident, source)(test)
        if missing:
            test = pytest.mark.xfail(strict=True, raises=AssertionError, reason=missing)(test)
        return test

    return mark
