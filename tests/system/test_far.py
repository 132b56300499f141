# SPDX-License-Identifier: BSD-3-Clause
"""Four flows each way, at once, to a server that is far away: every byte
arrives, no flow stops for good, and the guest never has to time out. How fast
they are, and how long they rest, is for bench/run to say (tcp-up-4-300ms and
its like)."""
import pytest

import far
import world
from world import XFER

FLOWS = 4
BYTES = str((256 << 20) if world.FULL and not world.SANITIZED else (6 << 20))


@pytest.mark.release
@pytest.mark.alone
@pytest.mark.parametrize("rtt_ms,cc", [(100, "cubic"), (300, "cubic"), (300, "bbr")])
def test_long_way_both_ways(w, rtt_ms, cc):
    g = w.guest()
    it = far.Far(rtt_ms, cc)
    w.serve(XFER, "-b", cc, "serve", "5001", ns="far", port=5001)
    try:
        with world.Vmlan(["user", g.netdev()]):
            g.dhcp()
            running = [g.popen(XFER, what, far.FAR, "5001", BYTES, stdout=-1, text=True)
                       for what in ("send", "recv") for _ in range(FLOWS)]
            told = [p.communicate(timeout=120)[0].split() for p in running]
            assert [t[0] for t in told] == ["equal"] * 2 * FLOWS, told
            # The guest's kernel: whether the others have to ask again is
            # between them and a machine that may have more to do than this.
            assert g.counter("TcpExtTCPTimeouts") == 0
    finally:
        it.close()
