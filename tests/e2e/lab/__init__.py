# SPDX-License-Identifier: BSD-3-Clause
"""The lab: real hosts and a real outside, in namespaces, around a router under QEMU.

`make run` and the end-to-end tests share it. Nothing of it outlives the program that made it, however
that program ends, and none of its traffic leaves its namespaces. Standard library only.
"""

from .hosts import Host, LabError, become_root
from .outside import Outside
from .router import Port, Router
from .clients import lease_by
