# SPDX-License-Identifier: BSD-3-Clause
import pytest

import world


def pytest_configure(config):
    config.addinivalue_line("markers", "root: takes the rights of the host's root")


def pytest_collection_modifyitems(config, items):
    """What no ordinary user can do is no test of his: left out, not skipped."""
    out = [] if world.HOST_ROOT else [i for i in items if i.get_closest_marker("root")]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [i for i in items if i not in out]


@pytest.fixture
def w():
    it = world.World()
    yield it
    it.close()
