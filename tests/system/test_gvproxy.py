# SPDX-License-Identifier: BSD-3-Clause
"""Shell scripts written for gvproxy (containers/gvisor-tap-vsock): its README's and its
tests' command lines as they stand there, but for the path of the socket, and the ways in
which scripts use them.

      clients: the host -- [lab: natnet 192.168.127.0/24] -- a (192.168.127.2), which echoes
"""
import json
import os
import socket
import subprocess

import pytest

from test_fwd import dial, echoes, echoing, is_bound, udp_echoes
from test_modes import RUNDIR, Machine, lan, rundir, vmlan  # noqa: F401
from world import popen, wait_for

MAC = "5a:94:ef:e4:0c:ee"
GATEWAY = {"192.168.127.1": "52:55:c0:a8:7f:01"}
NET = "net=192.168.127.0/24,host=192.168.127.1,dns=192.168.127.3,dhcpstart=192.168.127.2"


@pytest.fixture
def a(lan):  # noqa: F811
    with Machine(lan, "a", "--net", f"natnet:lab,{NET}", mac=MAC) as m:
        (RUNDIR / "network.sock").symlink_to(RUNDIR / "vmlan" / "lab" / "control")
        try:
            yield m
        finally:
            (RUNDIR / "network.sock").unlink()


def script(text, code=0):
    """Its output; what curl says on stderr is its own."""
    text = text.replace("/tmp/network.sock", str(RUNDIR / "network.sock"))
    r = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60,
                       cwd=RUNDIR)
    assert r.returncode == code, (text, r.returncode, r.stdout, r.stderr)
    return r.stdout


# README.md, "Services"
EXPOSE = ("curl  --unix-socket /tmp/network.sock http:/unix/services/forwarder/expose -X POST "
          """-d '{"local":":6443","remote":"192.168.127.2:6443"}'""")
UNEXPOSE = ("curl  --unix-socket /tmp/network.sock http:/unix/services/forwarder/unexpose "
            """-X POST -d '{"local":":6443"}'""")
ALL = "curl  --unix-socket /tmp/network.sock http:/unix/services/forwarder/all | jq ."

# test/performance.sh
SPEED = """
GVPROXY_SOCKET=/tmp/network.sock
curl --unix-socket $GVPROXY_SOCKET http:/unix/services/forwarder/%s -X POST \\
  -d'{"local":":5201", "protocol": "udp"%s}'
curl --unix-socket $GVPROXY_SOCKET http:/unix/services/forwarder/%s -X POST \\
  -d'{"local":":5201", "protocol": "tcp"%s}'
"""

# A script that starts a machine: it waits for its lease, then forwards its ports.
START = """
for _ in $(seq 1 30); do
    GUEST_IP=$(curl -s --unix-socket /tmp/network.sock \\
        http:/unix/services/dhcp/leases 2>/dev/null \\
        | jq -r --arg mac "5a:94:ef:e4:0c:ee" 'to_entries[] | select(.value == $mac) | .key' \\
        | head -1)
    [ -n "$GUEST_IP" ] && break
    sleep 0.5
done
[ -n "$GUEST_IP" ] || exit 1
for p in 7000 7001; do
    curl -fsS --unix-socket /tmp/network.sock http:/unix/services/forwarder/expose \\
        -X POST -H 'Content-Type: application/json' \\
        -d "{\\"local\\":\\":1$p\\",\\"remote\\":\\"$GUEST_IP:$p\\",\\"protocol\\":\\"tcp\\"}" \\
        > /dev/null || exit 2
done
echo $GUEST_IP
"""


def test_readme(a):
    """Before there is a guest, as most scripts do it; then by traffic."""
    assert script(EXPOSE) == "" and is_bound(6443)
    assert json.loads(script(ALL)) == [
        {"local": ":6443", "remote": "192.168.127.2:6443", "protocol": "tcp"}]
    assert script(EXPOSE) == "proxy already running for tcp on :6443\n"
    assert script(EXPOSE.replace("curl", "curl -f"), code=22) == ""
    assert script(UNEXPOSE) == "" and not is_bound(6443)
    assert script(UNEXPOSE) == "proxy not found\n"
    assert script(ALL) == "[]\n"
    to = EXPOSE.replace("2:6443", "2:7000")
    assert script(to) == ""
    a.guest.dhcp()
    with echoing("a"):
        wait_for("traffic", lambda: echoes(6443))
        assert script(UNEXPOSE) == "" and not is_bound(6443)


def test_both_protocols(a):
    """test/performance.sh: one port of each, which are two forwards."""
    a.guest.dhcp()
    to = ', "remote": "192.168.127.2:7000"'
    assert script(SPEED % ("expose", to, "expose", to)) == ""
    with echoing("a"):
        wait_for("traffic", lambda: echoes(5201))
        assert udp_echoes(5201)
        assert script(SPEED % ("unexpose", "", "unexpose", "")) == ""
    assert script(ALL) == "[]\n" and not is_bound(5201)


def test_a_unix_socket(a):
    """test-qemu/port_forwarding_test.go: a socket's file of before is no hindrance, and
    who unexposes says what he exposed."""
    name = RUNDIR / "podman-unix-to-unix-test.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(name))
    left.close()
    line = (f"""curl --unix-socket /tmp/network.sock http:/unix/services/forwarder/%s -X POST """
            f"""-d'{{"protocol":"unix","local":"{name}","remote":"tcp://192.168.127.2:7001"}}'""")
    a.guest.dhcp()
    assert script(line % "expose") == ""
    with echoing("a"):
        # who has what curl asked back, and no more comes
        with popen("curl", "-sSN", "--http0.9", "--unix-socket", str(name), "http:/unix/x",
                   stdout=subprocess.PIPE, text=True) as curl:
            try:
                assert curl.stdout.read(6) == "GET /x"
            finally:
                curl.kill()
    assert script(line % "expose") == f"proxy already running for unix on {name}\n"
    assert json.loads(script(ALL)) == [
        {"local": str(name), "remote": "tcp://192.168.127.2:7001", "protocol": "unix"}]
    assert script(line % "unexpose") == "" and not os.path.exists(name)


def test_leases_and_cam(a):
    leases = "curl --unix-socket /tmp/network.sock http:/unix/%s"
    assert json.loads(script(leases % "leases")) == GATEWAY
    assert json.loads(script(leases % "services/dhcp/leases")) == GATEWAY
    a.guest.dhcp()
    assert script(START) == "192.168.127.2\n"
    with echoing("a"):
        wait_for("traffic", lambda: echoes(17000))
        assert echoes(17001, "::1")
    assert json.loads(script(leases % "leases")) == {**GATEWAY, "192.168.127.2": MAC}
    cam = json.loads(script(leases % "cam"))
    assert list(cam) == [MAC] and type(cam[MAC]) is int
    assert script("curl -s --unix-socket /tmp/network.sock http://gvproxy/cam | "
                  """jq -e '."5a:94:ef:e4:0c:ee"' >/dev/null && echo there""") == "there\n"


def test_stats(a):
    """README.md: what the switch has carried."""
    stats = "curl  --unix-socket /tmp/network.sock http:/unix/stats"
    a.guest.dhcp()
    before = json.loads(script(stats))
    assert script(EXPOSE.replace("2:6443", "2:7000")) == ""
    with echoing("a"):
        wait_for("traffic", lambda: echoes(6443))
        n = 300_000
        assert echoes(6443, text=bytes(n))
        after = json.loads(script(stats))
        assert after["BytesSent"] - before["BytesSent"] > n
        assert after["BytesReceived"] - before["BytesReceived"] > n
        assert type(after["DroppedPackets"]) is int and "Timeouts" in after["TCP"]
        with dial(6443) as s:
            s.sendall(b"x")
            assert s.recv(1) == b"x"
            assert int(script(stats + " -s | jq .TCP.CurrentConnected")) >= 1


def test_what_is_refused(a):
    """The status that gvproxy has, by which scripts judge."""
    line = ("curl -s -o /dev/null -w '%%{http_code}' --unix-socket /tmp/network.sock "
            "http:/unix/services/forwarder/%s -X POST -d '%s'")
    for status, what, body in (
            (400, "expose", ""), (400, "expose", "x"), (400, "expose", "[]"), (400, "unexpose", "{"),
            (400, "expose", '{"local":":6443","remote":"192.168.127.2"}'),
            (400, "expose", '{"local":5,"remote":"192.168.127.2:80"}'),
            (500, "expose", '{"local":":6443","remote":"192.168.127.2:80","protocol":"npipe"}'),
            (500, "expose", '{"local":"6443","remote":"192.168.127.2:80"}'),
            (500, "expose", '{"local":"198.51.100.77:6443","remote":"192.168.127.2:80"}'),
            (500, "expose", '{"local":"/x/y","remote":"tcp://192.168.127.2:80","protocol":"unix"}'),
            (500, "expose", '{"local":"/tmp/x","remote":"192.168.127.2:80","protocol":"unix"}'),
            (500, "unexpose", '{"local":":6443","remote":"192.168.127.2:80"}'),
            (200, "expose", '{"local":":6443","remote":"192.168.127.2:80","more":[1]}'),
            (500, "unexpose", '{"local":":6443","protocol":"udp"}'),
            (200, "unexpose", '{"local":":6443","protocol":""}')):
        assert script(line % (what, body)) == str(status), (what, body)
    assert script("curl -s -o /dev/null -w '%{http_code}' --unix-socket /tmp/network.sock "
                  "http:/unix/nothing") == "404"
