/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Why a packet was dropped: one line a reason, the only list of them. X(NAME, "name",
 * "explanation") makes the enum, the counter and the words in the status output.
 */
#ifndef VERDICT_H
#define VERDICT_H

#define DROP_REASONS(X)                                                                            \
    X(ETH_SHORT, "eth-short", "frame shorter than an Ethernet header")                             \
    X(ETH_SOURCE, "eth-source", "source MAC is a group address, zero, or the router's own")        \
    X(ETH_RESERVED, "eth-reserved", "link-local group address 01-80-C2-00-00-0x")                  \
    X(ETH_TYPE, "eth-type", "EtherType the router does not route")                                 \
    X(ETH_NOT_FOR_US, "eth-not-for-us", "for another station or group on the uplink")              \
    X(VLAN, "vlan", "VLAN tag that no network has on that port, or none where one is needed")      \
    X(ARP_FORGED, "arp-forged", "ARP that says another has the router's address or MAC")           \
    X(LOCKED, "locked", "not from an address that its port is locked to")                          \
    X(RATE, "rate", "over the rate= of a port")                                                    \
    X(STORM, "storm", "too many flooded frames came in by its port")                               \
    X(SAME_PORT, "same-port", "destination is on the port it came from")                           \
    X(ISOLATED, "isolated", "between two ports of an isolated network")                            \
    X(NO_NETWORK, "no-network", "port belongs to no network")                                      \
    X(IP_HEADER, "ip-header", "IPv4 version, header length or total length is wrong")              \
    X(IP_CSUM, "ip-checksum", "IPv4 header checksum is wrong")                                     \
    X(IP_OPTIONS, "ip-options", "source route or malformed IPv4 options")                          \
    X(IP_SOURCE, "ip-source", "source address is not one this port may use")                       \
    X(IP_DEST, "ip-destination", "destination address is never forwarded")                         \
    X(TTL, "ttl", "time to live ran out")                                                          \
    X(L4_HEADER, "l4-header", "TCP, UDP or ICMP header is cut short or lies")                      \
    X(L4_CSUM, "l4-checksum", "checksum inside an ICMP message is wrong")                          \
    X(PROTOCOL, "protocol", "IP protocol that cannot be translated")                               \
    X(FRAGMENT, "fragment", "fragment that cannot be matched to its datagram")                     \
    X(FRAGMENT_ALONE, "fragment-alone", "waited in vain for its datagram's first fragment")        \
    X(FRAGMENT_FULL, "fragment-full", "too many fragments wait for their first one")               \
    X(FRAGMENT_OVERLAP, "fragment-overlap", "of a datagram whose fragments overlap")               \
    X(FRAGMENT_TWICE, "fragment-twice", "fragment whose bytes have come already")                  \
    X(POLICY, "policy", "no way there by the modes of networks, or by a rule")                     \
    X(NO_UPLINK, "no-uplink", "the uplink has no address or no link")                              \
    X(MOVED, "uplink-moved", "of a conversation with an address that the uplink has lost")         \
    X(NO_ROUTE, "no-route", "no gateway for the destination")                                      \
    X(NO_NEIGHBOR, "no-neighbor", "next hop did not answer ARP")                                   \
    X(UNSOLICITED, "unsolicited", "from the outside, and nothing inside asked for it")             \
    X(FILTERED, "filtered", "to a port of a host that has not spoken to that address (filter=)")   \
    X(TCP_WINDOW, "tcp-window",                                                                    \
      "TCP reset that fits nowhere in its connection: forged, or far too late")                    \
    X(NO_MAPPING, "icmp-no-flow", "ICMP error about a flow that does not exist")                   \
    X(FLOWS_FULL, "flows-full", "flow table is full")                                              \
    X(PORTS_FULL, "ports-full", "no outside port is free")                                         \
    X(SHARE, "share", "a host or network has its share, or limit, of flows or ports")              \
    X(PEER_TAKEN, "peer-taken",                                                                    \
      "GRE or ESP to a peer with which another host of ours has such a conversation")              \
    X(HAIRPIN, "hairpin", "hairpin to a port nothing is mapped to")                                \
    X(TOO_BIG, "too-big", "larger than the next MTU and not to be fragmented")                     \
    X(BUFFERS, "no-buffer", "packet pool was empty")                                               \
    X(TX_FULL, "tx-full", "transmit queue was full")                                               \
    X(TX_DOWN, "tx-down", "port is down")                                                          \
    X(HOST_BUSY, "host-busy", "the router's own stack had no room")                                \
    X(UNKNOWN_FLOOD, "flood-empty", "nowhere to flood to")

enum drop_reason {
    DROP_NONE, /* not a drop: the packet goes on */
#define X(name, text, help) DROP_##name,
    DROP_REASONS(X)
#undef X
        DROP_REASON_COUNT
};

#endif
