# SPDX-License-Identifier: BSD-3-Clause
"""Every peer and every test, and which is for which."""
import between
import cases
import peers
import switches


def all_peers():
    return [*peers.ALL, *switches.ALL]


def all_tests():
    return [*cases.tests(), *between.tests()]


def fits(test, peer):
    """Whether a peer is measured in a test."""
    return test.cell.field == peer.field and test.peers(peer) and peer.can(test.setting)
