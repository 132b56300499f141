# SPDX-License-Identifier: BSD-3-Clause
import pytest

import world


@pytest.fixture
def w():
    it = world.World()
    yield it
    it.close()
