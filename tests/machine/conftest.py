# SPDX-License-Identifier: BSD-3-Clause
"""Where the machine tests find their image, and OVMF."""

import os
import shutil

import pytest


def pytest_addoption(parser):
    parser.addoption("--image", default="build/machine.elf", help="the kernel with tests/machine/app.c")


@pytest.fixture(scope="session")
def image(request):
    path = request.config.getoption("--image")
    if not os.path.exists(path):
        pytest.exit(f"no image at {path}; `make machine` builds it", returncode=3)
    return os.path.abspath(path)


@pytest.fixture(name="firmware", scope="module")
def fixture_firmware(tmp_path_factory):
    """QEMU's arguments for OVMF; its variables are never written back."""
    code, variables = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
    assert os.path.exists(code), "OVMF is not installed; `make deps` does it"
    copy = str(tmp_path_factory.mktemp("ovmf") / "vars.fd")
    shutil.copy(variables, copy)
    return ("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={copy}")
