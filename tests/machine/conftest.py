# SPDX-License-Identifier: BSD-3-Clause
"""Where the machine tests find their image."""

import os

import pytest


def pytest_addoption(parser):
    parser.addoption("--image", default="build/machine.elf", help="the kernel with tests/machine/app.c")


@pytest.fixture(scope="session")
def image(request):
    path = request.config.getoption("--image")
    if not os.path.exists(path):
        pytest.exit(f"no image at {path}; `make machine` builds it", returncode=3)
    return os.path.abspath(path)
