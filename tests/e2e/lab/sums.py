# SPDX-License-Identifier: BSD-3-Clause
"""A sniffer that looks at the checksums of all that a host receives.

Between a virtual NIC and a host of the same machine, checksums may be left to whoever sends a packet on a wire, which
nobody does; the header in front of what a packet socket reads then says so (VIRTIO 1.2, section 5.1.6), and the field
holds the sum of the pseudo-header. Both kinds are judged here, of IPv4's TCP and UDP.
"""

import socket
import struct

from .listener import Listener
from .trunk import GSO_NONE, MAX_READ, NEEDS_CSUM, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR, VNET_HDR

RECEIVE_BYTES = 16 << 20
FIELDS = {socket.IPPROTO_TCP: 16, socket.IPPROTO_UDP: 6}


def remainder(data):
    """The ones' complement sum of data, of which both zeros are 0."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


class Sums(Listener):
    """Counts from entering to leaving: finished and unfinished checksums, and super-packets. A context manager.

    wrong holds the frames of which a checksum is.
    """

    def __init__(self, host, interface="eth0"):
        self.finished = self.unfinished = self.super_packets = 0
        self.wrong = []
        self._frames = []
        super().__init__(host, interface, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR, receive_bytes=RECEIVE_BYTES)

    def __exit__(self, *_):
        super().__exit__()
        for read in self._frames:  # not before: there was more to come
            self._judge(*VNET_HDR.unpack_from(read)[:2], read[VNET_HDR.size:])

    def take(self):
        self._frames.append(self._socket.recv(MAX_READ))

    def _judge(self, flags, gso_type, frame):
        packet = frame[14:]
        if frame[12:14] != b"\x08\0" or packet[9] not in FIELDS or struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:
            return
        start, end = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
        transport = packet[start:end]
        field = struct.unpack_from("!H", transport, FIELDS[packet[9]])[0]
        pseudo = packet[12:20] + struct.pack("!HH", packet[9], len(transport))
        if flags & NEEDS_CSUM:
            self.unfinished += 1
            right = (field - remainder(pseudo)) % 0xFFFF == 0
        else:
            self.finished += 1
            right = remainder(pseudo + transport) == 0 or (packet[9] == socket.IPPROTO_UDP and field == 0)
        self.super_packets += gso_type != GSO_NONE
        if not right or remainder(packet[:start]):
            self.wrong.append(frame)
