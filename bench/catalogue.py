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


def one_of(name):
    """The peer that is the same with one queue, of one with several; or None."""
    return next((p.one for p in all_peers() if p.name == name), None)


def fits(test, peer):
    """Whether a peer is measured in a test."""
    return test.cell.field == peer.field and test.peers(peer) and peer.can(test.setting)
