# SPDX-License-Identifier: BSD-3-Clause
"""What the end-to-end tests share. Their words are in lab/; here is only what pytest wants."""

import faulthandler
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lab  # noqa: E402
from lab.home import Home  # noqa: E402
from lab.hosts import need_programs, tun_node  # noqa: E402

TEST_LIMIT_S = 400  # every wait inside a test has a limit of its own; this one is for what was forgotten


def pytest_configure(config):
    """The marks: of lab/requirements.py, and of tests that no other may run beside."""
    config.addinivalue_line("markers", "alone: measures what other work on the machine would change")
    config.addinivalue_line("markers", "virtio(reason, pci=False): needs virtio-net, whatever SLUICE_NIC says")
    config.addinivalue_line("markers", "requirement(id, source): the test is one of this requirement's")


def pytest_collection_modifyitems(config, items):
    """With SLUICE_NIC, tests of what only virtio-net has are left out."""
    def is_for_this_nic(item):
        mark = item.get_closest_marker("virtio")
        return not mark or lab.router.NIC in (lab.router.VIRTIO, *(() if mark.kwargs.get("pci") else (lab.router.MMIO,)))

    config.hook.pytest_deselected(items=[item for item in items if not is_for_this_nic(item)])
    items[:] = filter(is_for_this_nic, items)


def pytest_sessionstart(session):
    """Says at once, and once, what the tests cannot do without."""
    try:
        if os.geteuid():
            raise lab.LabError("run it as root, or by `make e2e`, which makes a user namespace")
        tun_node()
        need_programs("qemu-system-x86_64", "ip", "nsenter", "unshare", "dnsmasq", "udhcpc", "dhclient", "dhcpcd",
                      "curl", "dig", "iperf3", "ethtool", "traceroute", "ping", "tracepath", "mtr", "turnserver", "perfdhcp",
                      "/lib/systemd/systemd-networkd")
        if not os.path.exists(lab.router.IMAGE):
            raise lab.LabError(f"no image at {lab.router.IMAGE}; `make` builds it")
    except lab.LabError as error:
        pytest.exit(str(error), returncode=3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol():
    """A test that hangs ends the run, with every thread's stack; hosts and router end with us."""
    faulthandler.dump_traceback_later(TEST_LIMIT_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test also shows the router's console and the ISP's log, where it has them."""
    outcome = yield
    report = outcome.get_result()
    home = getattr(item, "funcargs", {}).get("home")
    if report.failed and isinstance(home, Home):
        report.sections.append(("router's console", home.router.tail()))
        report.sections.append(("ISP's log", "\n".join(home.outside.log().splitlines()[-15:])))


@pytest.fixture(scope="module")
def home():
    """A default home with two LAN hosts, for a whole module: no configuration text at all."""
    with Home(hosts=2) as made:
        yield made


@pytest.fixture
def say(capsys):
    """say(text): a line at once on the terminal, for figures and for the progress of what takes long."""
    def write(text):
        with capsys.disabled():
            print(f"\n   {text}", end=" ", flush=True)

    return write


@pytest.fixture(autouse=True)
def alive(request):
    """After every test with the shared home, its router has not panicked."""
    yield
    if "home" in request.fixturenames:
        router = request.getfixturevalue("home").router
        router.check_alive(router.process.poll())
