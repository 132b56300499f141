# SPDX-License-Identifier: BSD-3-Clause
import pathlib
import shutil
import signal
import tempfile

import pytest

import marks
import world


def pytest_configure(config):
    config.addinivalue_line("markers", "root: takes the rights of the host's root")
    config.addinivalue_line("markers", "qemu: boots machines of QEMU's, which takes its time")
    config.addinivalue_line("markers", "long: is another one with VMLAN_FULL=1")
    config.addinivalue_line("markers", "release: the same, so long that it takes a release's speed")
    config.addinivalue_line("markers", "alone: fails where others take the processors for long")
    config.addinivalue_line("markers", "takes(FEATURE..): of those that VMLAN_DENY can deny")


def is_out_of_reach(item):
    takes = item.get_closest_marker("takes")
    if item.get_closest_marker("root") and not world.HOST_ROOT:
        return True
    return takes is not None and any(f in world.DENIED for f in takes.args)


def pytest_collection_modifyitems(config, items):
    """What no ordinary user can do, or no such kernel, is no test of theirs:
    left out, not skipped."""
    wrong = list(marks.faults(items))
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    out = [i for i in items if is_out_of_reach(i)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [i for i in items if i not in out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """One that waits for ever costs itself, not all behind it."""
    limit = 3000 if world.FULL else 300

    def over(*_):
        pytest.fail(f"not over after {limit} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(limit)
    yield
    signal.alarm(0)


@pytest.fixture(autouse=True)
def state(monkeypatch):
    """Leases outlive a network: those of one test are not another's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vmlan-state-"))
    folder.chmod(0o777)  # some tests are several users
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def w():
    it = world.World()
    yield it
    it.close()
