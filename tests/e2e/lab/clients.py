# SPDX-License-Identifier: BSD-3-Clause
"""Three real DHCP clients, each started as people start it, behind one function.

Each runs its own distribution script, so the address, the route and resolv.conf come about the usual way;
a wrapper around that script notes what the client was told.
"""

import dataclasses
import shlex

from .outside import wait_until

# Runs as the client's script: notes the environment (that is how all three pass on a lease), then goes on
# with the distribution's.
WRAPPER = """#!/bin/sh
{{ echo "== $1 $reason"; env; }} >>/run/lease.log
{then}
"""

SCRIPTS = {
    "udhcpc": 'exec /etc/udhcpc/default.script "$@"',
    "dhclient": "exec /sbin/dhclient-script",
    "dhcpcd": 'exec /lib/dhcpcd/dhcpcd-run-hooks "$@"',
}
COMMANDS = {
    "udhcpc": "udhcpc -i eth0 -f -q -n -t 10 -T 1 -A 1 -s /run/lease-script",
    "dhclient": "dhclient -4 -1 -v -sf /run/lease-script -pf /run/dhclient.pid -lf /run/dhclient.leases eth0",
    "dhcpcd": "dhcpcd -4 -w -t 30 --noarp -c /run/lease-script eth0",
}
# The words each uses for the same things: address, mask, router, dns, lease, domain, server.
WORDS = {
    "udhcpc": ("ip", "subnet", "router", "dns", "lease", "domain", "serverid"),
    "dhclient": ("new_ip_address", "new_subnet_mask", "new_routers", "new_domain_name_servers",
                 "new_dhcp_lease_time", "new_domain_name", "new_dhcp_server_identifier"),
    "dhcpcd": ("new_ip_address", "new_subnet_mask", "new_routers", "new_domain_name_servers",
               "new_dhcp_lease_time", "new_domain_name", "new_dhcp_server_identifier"),
}


@dataclasses.dataclass
class Lease:
    """What a client was given; a text it was not told is empty."""

    address: str
    mask: str
    router: str
    dns: str
    lease_s: int
    domain: str
    server: str
    log: str


def lease_by(client, host, timeout=60, arguments=()):
    """Gets a lease for the host's eth0 with the client ("udhcpc", "dhclient" or "dhcpcd"): a Lease.

    The client configures the interface, the route and resolv.conf, and ends or stays, as is its habit: udhcpc
    ends; the others stay until end().
    """
    prepare(client, host)
    result = host.run(*shlex.split(COMMANDS[client]), *arguments, timeout=timeout)
    return read_lease(client, host, result.stdout + result.stderr)


def prepare(client, host):
    """Puts the wrapper in place and forgets earlier leases' notes."""
    host.run("sh", "-c", "cat >/run/lease-script && chmod 755 /run/lease-script && : >/run/lease.log",
             stdin=WRAPPER.format(then=SCRIPTS[client]))


def read_lease(client, host, log=""):
    """The last lease the client's script was told of."""
    values = {}
    for line in host.read("/run/lease.log").splitlines():
        name, equals, value = line.partition("=")
        if equals and name in WORDS[client] and value:
            values[name] = value
    address, mask, router, dns, lease, domain, server = (values.get(word, "") for word in WORDS[client])
    assert address and lease and server, f"{client} was told {values}\n{log}"
    return Lease(address, mask, router, dns, int(lease), domain, server, log)


def stay(host):
    """Starts udhcpc so that it stays and keeps its lease: signals tell it to renew (USR1), to release (USR2)."""
    prepare("udhcpc", host)
    host.spawn("udhcpc", "-i", "eth0", "-f", "-s", "/run/lease-script", "-p", "/run/udhcpc.pid")
    wait_until(lambda: "== bound" in host.read("/run/lease.log"), 20, "udhcpc is bound")
    return read_lease("udhcpc", host)


def signal(client, host, name):
    """Sends a client that stays a signal, by its name without SIG."""
    host.run("sh", "-c", f"kill -{name} $(cat /run/{client}.pid)")


def end(client, host):
    """Ends a client that stays, with nothing said to the server."""
    if client == "dhclient":
        signal(client, host, "TERM")
    elif client == "dhcpcd":
        host.run("dhcpcd", "-4", "-x", "eth0")


def release(client, host):
    """Gives the lease back. (dhcpcd -k sends nothing on this Debian, so it cannot.)"""
    if client == "dhclient":
        host.run("dhclient", "-4", "-r", "-v", "-sf", "/run/lease-script", "-pf", "/run/dhclient.pid",
                 "-lf", "/run/dhclient.leases", "eth0")
    elif client == "udhcpc":
        signal(client, host, "USR2")
        wait_until(lambda: host.address()[0] is None, 10, "udhcpc has let go of its address")
    else:
        raise ValueError(client)
