#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What ./quickstart shows: a Linux guest that uses its network, told in plain
lines. Runs inside namespaces of its own; one of them plays the internet."""
import os
import pathlib
import shlex
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import world  # noqa: E402

world.enter_world()
import qemu  # noqa: E402

FORWARD = ["-p", "2222:22"]
PAGE = "Hello from the internet."


def show(who, what, text):
    print(f"  {who:<6} {what:<9} {text}", flush=True)


def print_command(words):
    """As a person would type it, broken before an option."""
    line = "$"
    for word in words:
        word = shlex.quote(word.replace(str(qemu.IMAGE) + "/", ""))
        if len(line) + len(word) > 64 and word.startswith("-"):
            print(line + " \\")
            line = "   "
        line += " " + word
    print(line, flush=True)


def ask_forwarded():
    """What the guest's port 22 says through port 2222 of this host."""
    with socket.create_connection(("127.0.0.1", 2222), 20) as s:
        s.sendall(b"hello, guest, this is the host\n")
        s.shutdown(socket.SHUT_WR)
        return s.makefile().read().strip()


def follow(vm, wanted):
    """Shows what the guest tells as it tells it."""
    seen = set()
    for line in vm.lines():
        if line.startswith("vmlan: "):
            show("vmlan", "", line[len("vmlan: "):])
        said = vm.told(line)
        if not said or said[0] == "done":
            continue
        word, text = said
        seen.add(word)
        show("guest", word, text)
        if (word, text) == ("port", "22 waits"):
            try:
                show("host", "port", f"127.0.0.1:2222 answers: {ask_forwarded()}")
            except OSError as e:
                show("host", "error", f"127.0.0.1:2222: {e.strerror}")
                seen.add("error")
    return wanted - seen, "error" in seen


def main():
    begin = time.monotonic()
    w = world.World()
    w.python("dns_server.py", world.WEB_IP, port=53, proto="udp")
    w.python("web_server.py", PAGE, port=80)
    append = qemu.words(name="example.test", page="http://example.test/",
                        ping=world.WEB_IP, port=22)
    print_command(["vmlan", "run", *FORWARD, "--", *qemu.command("...")])
    with tempfile.TemporaryDirectory() as tmp:
        resolv = pathlib.Path(tmp) / "resolv.conf"
        resolv.write_text(f"nameserver {world.INET_IP}\n")
        vm = qemu.Qemu(FORWARD, append, {"VMLAN_RESOLV_CONF": str(resolv)})
        missing, errors = follow(vm, {"lease", "name", "page", "ping", "port"})
        rc = vm.rest()
        vm.close()
    w.close()
    print(f"The guest has powered off; vmlan run ended with {rc}, "
          f"{time.monotonic() - begin:.0f} seconds after it began.")
    if missing or errors or rc:
        print("quickstart: not all of it worked"
              + (": no " + ", ".join(sorted(missing)) if missing else ""),
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
