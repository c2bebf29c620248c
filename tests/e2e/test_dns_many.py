# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of names: dig and host find each one's own address, first by a server (dnsmasq, on a host), then from the
cache.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]      lan2 is the server of many.example, the others ask it:
      ...                                   one host may have 1,000 questions a second asked
"""

import re

from lab.home import ROUTER, Home, host_mac
from lab.outside import wait_until

NAMES = 4000
SERVER = "192.168.8.21"
CONFIG = f"host={host_mac(2)},{SERVER} dnsfwd=many.example:{SERVER}"


def address(number):
    """The address of a name."""
    return f"198.18.{number // 250}.{number % 250 + 1}"


def ask(host, names):
    """What one dig finds: {name: address}."""
    host.run("sh", "-c", "cat > /run/questions", stdin="\n".join(names) + "\n")
    text = host.run("dig", f"@{ROUTER}", "+nocookie", "+noall", "+answer", "-f", "/run/questions", timeout=120).stdout
    return dict(re.findall(r"^(\S+)\.\s+\d+\s+IN\s+A\s+(\S+)$", text, re.MULTILINE))


def test_thousands_of_names():
    """4,000 by four hosts, and again the other way round, from the cache; by host one that is and one that is not."""
    names = {f"n{number}.many.example": address(number) for number in range(NAMES)}
    with Home(hosts=5, config=CONFIG) as home:
        host, server, *others = home.hosts
        askers = [host, *others]
        hosts = "".join(f"{ip} {name}\n" for name, ip in names.items())
        server.run("sh", "-c", "cat > /run/many.hosts", stdin=hosts)
        server.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                     "--user=root", "--pid-file=", "--addn-hosts=/run/many.hosts", "--local=/many.example/", "--local-ttl=600")
        wait_until(lambda: "has address" in host.run("host", "-W", 2, "n0.many.example", ROUTER, check=False).stdout,
                   20, "the server answers")
        for order in (sorted(names), sorted(names, reverse=True)):
            found = {}
            for number, asker in enumerate(askers):
                found |= ask(asker, order[number::len(askers)])
            assert found == names
        assert "has address " + address(7) in host.run("host", "n7.many.example", ROUTER).stdout
        gone = host.run("host", "n4000.many.example", ROUTER, check=False)
        assert "NXDOMAIN" in gone.stdout and gone.returncode == 1
        hits = int(re.search(r"^dns +cache: hits (\d+)", home.router.status().text, re.MULTILINE).group(1))
        assert hits > NAMES // 2, home.router.status().text
