# SPDX-License-Identifier: BSD-3-Clause
"""An unmodified Linux in an unmodified QEMU over vhost-user: its own
virtqueues, its memory shared; either side may start again."""
import hashlib
import os
import re
import socket
import subprocess

import pytest
import qemu
import web_server
import world
from test_guest import ask, free_port

pytestmark = pytest.mark.qemu

PAGE = "Hello from the internet. " * 4000


def words_of(sock, queues=1):
    """What QEMU is told of a socket."""
    many = f",queues={queues}" if queues > 1 else ""
    # QEMU 7.2 dies of vhost-user with MSI-X under TCG: vectors=0.
    return ("-object", "memory-backend-memfd,id=m,size=256M,share=on",
            "-machine", "memory-backend=m",
            "-chardev", f"socket,id=c,path={sock},reconnect=1",
            "-netdev", f"vhost-user,id=n,chardev=c{many}",
            "-device", "virtio-net-pci,netdev=n,vectors=0" + (",mq=on" if many else ""))


@pytest.fixture
def net(w, tmp_path):
    """A vmlan with a vhost-user socket, a forward to the guest's port 22, and
    what QEMU is told."""
    w.python("web_server.py", PAGE, port=80)
    sock = tmp_path / "v.sock"
    port = free_port()
    with world.Vmlan([f"user,hostfwd=tcp:127.0.0.1:{port}-:22",
                      f"vhost-user,path={sock},server=on"]) as v:
        yield v, port, words_of(sock)


def start(words, more=(), **orders):
    return qemu.Qemu(None, qemu.words(**orders), more=(*words, *more))


def n_connected(v):
    return len(re.findall(": connected", v.log()))


def expect_lease(vm):
    assert vm.until("lease").startswith("10.0.2.15/24, router 10.0.2.2")


def test_linux_uses_its_network(net):
    v, port, words = net
    vm = start(words, page=f"http://{world.INET_IP}/", ping="10.0.2.2", reload="1",
               port="22")
    try:
        expect_lease(vm)
        expect_lease(vm)  # of the driver put in again
        assert PAGE[:24] in vm.until("page")
        assert "answered 3 of 3" in vm.until("ping")
        assert vm.until("port") == "22 waits"
        # the engine dies under it: QEMU comes back, the guest sees nothing
        world.wait_for("the first connection", lambda: n_connected(v))
        before = n_connected(v)
        world.sh("kill", "-9", str(v.engine()))
        world.wait_for("the second connection", lambda: n_connected(v) > before, 20)
        assert ask(port, "hello, guest").startswith("hello from Linux"), vm.text
        assert vm.until("port") == "22 heard: hello, guest"
        assert vm.rest() == 0
    finally:
        vm.close()


COUNT = ("import socket,sys\n"
         "s = socket.create_server(('0.0.0.0', 5009)); c = s.accept()[0]\n"
         "n = 0\n"
         "while b := c.recv(1 << 20):\n"
         "    assert not any(b[:64]); n += len(b)\n"
         "print(n)\n")


def bulk(words, more=(), **orders):
    """Much, both ways; what the guest said behind that."""
    sink = world.popen("/usr/bin/python3", "-c", COUNT, ns="inet", stdout=subprocess.PIPE,
                       text=True)
    vm = start(words, more, sum=f"http://{world.INET_IP}/big", up=f"{world.INET_IP}:5009",
               **orders)
    try:
        assert vm.until("sum") == hashlib.sha256(web_server.big()).hexdigest()
        assert vm.until("up") == "sent"
        assert sink.communicate(timeout=30)[0] == f"{32 << 20}\n"
        at = vm.at
        assert vm.rest() == 0
        return vm.text[at:]
    finally:
        sink.kill()
        sink.wait()
        vm.close()


def test_bulk_both_ways(net):
    bulk(net[2])


def test_queues_come_and_go(w, tmp_path):
    """The guest changes how many it uses, twenty times a second; each of them
    is another worker's."""
    w.python("web_server.py", PAGE, port=80)
    sock = tmp_path / "v.sock"
    with world.Vmlan(["user", f"vhost-user,path={sock},server=on,queues=4"],
                     env={"VMLAN_WORKERS": "4"}) as v:
        assert len(os.listdir(f"/proc/{v.engine()}/task")) == 4
        text = bulk(words_of(sock, 4), ("-smp", "4"), queues="4", ping="10.0.2.2")
        assert re.search("guest: queues 4 of 4, after [1-9][0-9]+ changes", text), text
        assert re.search("guest: ping 10.0.2.2 answered [23] of 3", text), text
        assert "guest: error" not in text
        # one that knows of one queue only
        vm = start(words_of(sock), ping="10.0.2.2")
        try:
            expect_lease(vm)
            assert "answered 3 of 3" in vm.until("ping")
            assert vm.rest() == 0
        finally:
            vm.close()
        assert "broken" not in v.log() and "AddressSanitizer" not in v.log()


def test_guest_reboots(net, tmp_path):
    v, port, words = net
    monitor = tmp_path / "monitor"
    vm = start(words, ("-qmp", f"unix:{monitor},server=on,wait=off",
                       "-action", "reboot=reset"), port="22")
    try:
        for _ in range(2):
            expect_lease(vm)
            assert vm.until("port") == "22 waits"
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(monitor))
                f = s.makefile("rw")
                f.readline()
                for word in ("qmp_capabilities", "system_reset"):
                    f.write('{"execute": "%s"}\n' % word)
                    f.flush()
                    f.readline()
        expect_lease(vm)
        assert vm.until("port") == "22 waits"
        assert ask(port, "hello again").startswith("hello from Linux"), vm.text
        assert vm.rest() == 0
    finally:
        vm.close()


def test_qemu_is_killed_and_started_again(net):
    v, port, words = net
    for i in range(2):
        vm = start(words, port="22")
        try:
            expect_lease(vm)
            if i == 0:
                vm.proc.kill()
        finally:
            vm.close()
    assert "AddressSanitizer" not in v.log()
