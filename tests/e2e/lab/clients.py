# SPDX-License-Identifier: BSD-3-Clause
"""Four real DHCP clients, each started as people start it, behind one function.

udhcpc, dhclient and dhcpcd run their own distribution's script, so the address, the route and resolv.conf come about
the usual way; a wrapper around that script notes what the client was told. systemd-networkd runs alone, with neither
systemd nor D-Bus nor udev: it takes what is in a /sys that cannot be written for a container's, waits for no udev
there, and finds its user among ours. It keeps its lease in a file; resolv.conf is systemd-resolved's business, so
here it is ours.
"""

import dataclasses
import shlex

from .outside import wait_until

# Runs as the client's script: notes the environment (that is how all three pass on a lease), then goes on
# with the distribution's. What happened is noted last: who waits for that word then finds the lease, however slow
# the machine.
WRAPPER = """#!/bin/sh
{{ env; echo "== $1 $reason"; }} >>/run/lease.log
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
NETWORKD = "/lib/systemd/systemd-networkd"
NETWORKD_SETUP = """
mount -t sysfs -o ro sysfs /sys
for file in passwd group; do
    sed '/^systemd-network:/d' /run/etc.real/$file >/run/$file.new
    rm -f /etc/$file && mv /run/$file.new /etc/$file
done
echo systemd-network:x:0:0::/:/bin/false >>/etc/passwd
echo systemd-network:x:0: >>/etc/group
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\n' >/run/systemd/network/10-eth0.network
"""
# What each notes of its lease.
NOTES = {"networkd": "/run/systemd/netif/leases/*"}
# The words each uses for the same things: address, mask, router, dns, lease, domain, server.
WORDS = {
    "udhcpc": ("ip", "subnet", "router", "dns", "lease", "domain", "serverid"),
    "dhclient": ("new_ip_address", "new_subnet_mask", "new_routers", "new_domain_name_servers",
                 "new_dhcp_lease_time", "new_domain_name", "new_dhcp_server_identifier"),
    "dhcpcd": ("new_ip_address", "new_subnet_mask", "new_routers", "new_domain_name_servers",
               "new_dhcp_lease_time", "new_domain_name", "new_dhcp_server_identifier"),
    "networkd": ("ADDRESS", "NETMASK", "ROUTER", "DNS", "LIFETIME", "DOMAINNAME", "SERVER_ADDRESS"),
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
    """Gets a lease for the host's eth0 with the client ("udhcpc", "dhclient", "dhcpcd" or "networkd"): a Lease.

    The client configures the interface, the route and resolv.conf, and ends or stays, as is its habit: udhcpc
    ends; the others stay until end().
    """
    if client == "networkd":
        return lease_by_networkd(host, timeout)
    prepare(client, host)
    result = host.run(*shlex.split(COMMANDS[client]), *arguments, timeout=timeout)
    return read_lease(client, host, result.stdout + result.stderr)


def lease_by_networkd(host, timeout):
    """Starts systemd-networkd and waits until the address is there."""
    if not host.run("sh", "-c", "ls /run/systemd/network", check=False).stdout:
        host.run("sh", "-ec", NETWORKD_SETUP)
    host.run("sh", "-c", "rm -f /run/systemd/netif/links/* /run/systemd/netif/leases/*")
    host.spawn("sh", "-c", f"echo $$ >/run/networkd.pid; exec {NETWORKD} 2>/run/networkd.log")
    wait_until(lambda: host.run("grep", "-rl", "DHCP_LEASE=", "/run/systemd/netif/links", check=False).stdout and
               host.run("grep", "-rl", "STATE=routable", "/run/systemd/netif/links", check=False).stdout, timeout,
               "networkd has configured eth0")
    lease = read_lease("networkd", host, host.read("/run/networkd.log"))
    host.run("sh", "-c", f"echo nameserver {lease.dns} >/etc/resolv.conf")
    return lease


def prepare(client, host):
    """Puts the wrapper in place and forgets earlier leases' notes."""
    host.run("sh", "-c", "cat >/run/lease-script && chmod 755 /run/lease-script && : >/run/lease.log",
             stdin=WRAPPER.format(then=SCRIPTS[client]))


def read_lease(client, host, log=""):
    """The last lease the client's script was told of."""
    values = {}
    for line in host.run("sh", "-c", f"cat {NOTES.get(client, '/run/lease.log')}", check=False).stdout.splitlines():
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


def stay_with(client, host):
    """A lease of a client that stays and keeps it. dhclient asks again after a second or two, not after ten or more: a
    short lease would be over by then."""
    if client == "udhcpc":
        return stay(host)
    host.run("sh", "-c", "echo 'initial-interval 1; backoff-cutoff 2;' >/run/dhclient.conf")
    return lease_by(client, host, arguments=("-cf", "/run/dhclient.conf") if client == "dhclient" else ())


def signal(client, host, name):
    """Sends a client that stays a signal, by its name without SIG."""
    host.run("sh", "-c", f"kill -{name} $(cat /run/{client}.pid)")


def end(client, host):
    """Ends a client that stays, with nothing said to the server."""
    if client == "dhclient":
        signal(client, host, "TERM")
    elif client == "dhcpcd":
        host.run("dhcpcd", "-4", "-x", "eth0")
    elif client == "networkd":  # which would release its lease if it were asked to end
        signal(client, host, "KILL")
        wait_until(lambda: host.run("sh", "-c", "kill -0 $(cat /run/networkd.pid)", check=False).returncode, 5,
                   "networkd has ended")


def release(client, host):
    """Gives the lease back. (dhcpcd -k sends nothing on this Debian, so it cannot.)"""
    if client == "dhclient":
        host.run("dhclient", "-4", "-r", "-v", "-sf", "/run/lease-script", "-pf", "/run/dhclient.pid",
                 "-lf", "/run/dhclient.leases", "eth0")
    elif client == "udhcpc":
        signal(client, host, "USR2")
        wait_until(lambda: host.address()[0] is None, 10, "udhcpc has let go of its address")
    elif client == "networkd":
        signal(client, host, "TERM")
        wait_until(lambda: host.address()[0] is None, 10, "networkd has let go of its address")
    else:
        raise ValueError(client)
