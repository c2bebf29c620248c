# SPDX-License-Identifier: BSD-3-Clause
"""A second opinion: the CD in Bochs, with its own e1000. `make bochs` runs it; it is no part of `make test`.

    [lan1] eth0 ---- port 1 [ router, in Bochs ] port 0 ---- eth0 [isp] 198.51.100.10
"""

import lab
from lab import boots
from lab.bochs import Bochs
from lab.clients import lease_by
from lab.outside import SERVER

BOOT_LIMIT_S = 300


def test_bochs_boots_and_routes(tmp_path):
    """From its BIOS through GRUB to a lease, pings of all sizes and a page; the cards have the MACs of their EEPROMs."""
    with lab.Outside(vnet_hdr=False) as outside, lab.Host("lan1") as host:
        outside.start_isp()
        outside.start_web()
        taps = [outside.uplink_fd, host.tap("eth0", vnet_hdr=False)]
        with Bochs(tmp_path, f"{boots.images().name}/sluice.iso", taps) as machine:
            machine.wait_for("ready ", BOOT_LIMIT_S)
            for number in range(2):
                assert f"port {number}   e1000       {machine.mac(number)}" in machine.console
            machine.wait_for("203.0.113.", 30)
            assert lease_by("udhcpc", host).router == "192.168.8.1"
            for size in (0, 56, 1472):
                assert host.run("ping", "-c", 2, "-i", 0.2, "-W", 5, "-s", size, SERVER).returncode == 0
            expected = outside.make_file("file", 1)
            host.run("curl", "-sS", "-f", "-m", 60, "-o", "/run/file", "http://files.example/file", timeout=70)
            assert host.run("sha256sum", "/run/file").stdout.split()[0] == expected
