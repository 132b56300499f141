# SPDX-License-Identifier: BSD-3-Clause
"""One unmodified Linux in an unmodified QEMU under `vmlan run`."""
import re
import socket

import pytest
import qemu
import world

pytestmark = pytest.mark.qemu

PAGE = "Hello from the internet."


@pytest.fixture
def internet(w, tmp_path):
    """A resolver and a page out there; what vmlan's environment says."""
    w.python("dns_server.py", world.WEB_IP, port=53, proto="udp")
    w.python("web_server.py", PAGE, port=80)
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(f"nameserver {world.INET_IP}\n")
    return {"VMLAN_RESOLV_CONF": str(resolv)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(text.encode() + b"\n")
        s.shutdown(socket.SHUT_WR)
        return s.makefile().read().strip()


def test_linux_uses_its_network(internet):
    port = free_port()
    vm = qemu.Qemu(["--name", "linux", "-p", f"{port}:22"],
                   qemu.words(name="example.test", page="http://example.test/",
                              ping=world.WEB_IP, port=22), internet)
    try:
        mac = vm.until("mac")
        assert mac.startswith("52:54:00:")
        lease = vm.until("lease")
        assert lease.startswith("10.0.2.15/24, router 10.0.2.2, dns 10.0.2.3")
        assert vm.until("name") == f"example.test is {world.WEB_IP}"
        assert vm.until("page").endswith(PAGE)
        n = 0 if "ping" in world.DENIED else 3
        assert f"{world.WEB_IP} answered {n} of 3" in vm.until("ping")
        assert vm.until("port") == "22 waits"
        answer = ask(port, "hello, guest")
        assert answer.startswith("hello from Linux"), vm.text
        assert vm.until("port") == "22 heard: hello, guest"
        assert vm.rest() == 0
    finally:
        vm.close()
    assert not re.search("AddressSanitizer|runtime error:", vm.text), vm.text


def test_same_name_same_mac(internet):
    macs = []
    for name in ("one", "one", "two"):
        vm = qemu.Qemu(["--name", name], qemu.words(), internet)
        try:
            macs.append(vm.until("mac"))
        finally:
            vm.close()
    assert macs[0] == macs[1] != macs[2]
