# SPDX-License-Identifier: BSD-3-Clause
"""A VLAN trunk: one port of the router whose cable carries several hosts, each on a VLAN of its own.

    [dev] eth0 ---- VLAN 10 --.
    [lab] eth0 ---- VLAN 20 --+-- [trunk] eth0 ---- router's port
             [trunk] untagged -'

Theory of operation. The trunk is a Host whose eth0 is the TAP that QEMU drives. Each member has a TAP of its own, whose
other end is a thread here: what a member sends gets its tag (IEEE 802.1Q) and leaves by the trunk's eth0; what comes in
there loses its tag and goes to the member of that VLAN. virtio's header travels along both ways, so
super-packets and unfinished checksums cross the trunk as they would with Linux's own VLAN devices (which not every
kernel has). Untagged frames are for the trunk host itself.
"""

import contextlib
import fcntl
import os
import select
import socket
import struct
import threading

from .hosts import Host

SO_RCVBUFFORCE = 33
TUNSETOFFLOAD = 0x400454D0
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
VNET_HDR = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CSUM, GSO_NONE = 1, 0
MAX_READ = 65536 + 64


def taken_tag(ancillary):
    """The VLAN tag that the kernel took out of a received frame: its 4 bytes, or none."""
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                return struct.pack("!HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100, tci)
    return b""


class Trunk:
    """The trunk host and its members. A context manager. fd is for the router's Port."""

    def __init__(self, name="trunk", mac=None, offloads=True, mtu=None):
        self.host = Host(name)
        self._offloads = offloads
        self._members = {}
        self._stop = False
        self._thread = None
        self.fd = self.host.tap("eth0", mac=mac, mtu=mtu)
        self.strangers = {}  # frames from the router with a tag no member has, by VLAN ID
        self._socket = self.host.frames()
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self._socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        with contextlib.suppress(PermissionError):  # in a user namespace the default has to do
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        if not offloads:
            self.host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")

    def attach(self, host, vid, mac=None, interface="eth0"):
        """Gives the host an interface on a VLAN of this trunk. Before start()."""
        fd = host.tap(interface, mac=mac)
        flags = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 if self._offloads else 0
        fcntl.ioctl(fd, TUNSETOFFLOAD, flags)
        self._members[vid] = fd

    def start(self):
        """Begins to carry frames."""
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop = True
        if self._thread:
            self._thread.join()
        self._socket.close()
        self.host.close()

    def _carry(self):
        vids = {fd: vid for vid, fd in self._members.items()}
        poll = select.poll()
        for fd in (self._socket.fileno(), *vids):
            poll.register(fd, select.POLLIN)
        while not self._stop:
            for fd, _ in poll.poll(100):
                for _ in range(32):
                    try:
                        self._outward(fd, vids[fd]) if fd in vids else self._inward()
                    except OSError:  # nothing more to read, or no room: as on any cable, the frame is lost
                        break

    def _outward(self, fd, vid):
        """A member's frame, towards the router."""
        data = os.read(fd, MAX_READ)
        flags, gso, header, size, start, offset = VNET_HDR.unpack_from(data)
        if flags & NEEDS_CSUM:
            start += 4
        if gso != GSO_NONE:
            header += 4
        frame = data[VNET_HDR.size:]
        self._socket.send(VNET_HDR.pack(flags, gso, header, size, start, offset) + frame[:12]
                          + struct.pack("!HH", 0x8100, vid) + frame[12:])

    def _inward(self):
        """The router's frame, for a member if its VLAN has one. The kernel has taken the tag out already."""
        data, ancillary, _, _ = self._socket.recvmsg(MAX_READ, 128, socket.MSG_DONTWAIT)
        tag = taken_tag(ancillary)
        if tag:
            self._to_member(int.from_bytes(tag[2:], "big") & 0xFFF, data)

    def _to_member(self, vid, data):
        if vid in self._members:
            with contextlib.suppress(BlockingIOError):
                os.write(self._members[vid], data)
        else:
            self.strangers[vid] = self.strangers.get(vid, 0) + 1
