# SPDX-License-Identifier: BSD-3-Clause
"""Every peer and every test, and which is for which."""
import between
import cases
import live
import peers
import switches


def all_peers():
    return [*peers.ALL, *switches.ALL, *live.PEERS]


def all_tests():
    return [*cases.tests(), *between.tests(), *live.tests()]


def alike(name):
    """Of a peer with several queues the same with one, and the same with one
    worker; or None."""
    return next(((p.one, p.lone) for p in all_peers() if p.name == name), (None, None))


def fits(test, peer):
    """Whether a peer is measured in a test."""
    return test.cell.field == peer.field and test.peers(peer) and peer.can(test.setting)
