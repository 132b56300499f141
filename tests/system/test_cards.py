# SPDX-License-Identifier: BSD-3-Clause
"""The cards of QEMU's machines attach and get a lease: by the firmware's own
drivers (iPXE in the card's ROM), and by Linux where it has a driver."""
import re

import pytest
import pxe
import qemu
import world

pytestmark = pytest.mark.qemu

# Card, and what iPXE calls it.
FIRMWARE = {
    "e1000": "82540em", "rtl8139": "rtl8139", "virtio-net-pci": "virtio-net",
    "e1000e": "82574l", "pcnet": "pcnet32", "vmxnet3": "vmxnet3", "ne2k_pci": "rtl8029",
    "i82559er": "82559er",
}
# Without PCI, but with the devices that Debian's kernel expects of a PC.
MICROVM = ("-M", "microvm,acpi=on,pit=on,pic=on,rtc=on")
# There the kernel has nothing but an emulated PIT to measure its clock by; on
# a busy host it measures nonsense and never starts. So it is told.
CLOCK = {"tsc_early_khz": 1000000}


def linux(card, image=qemu.IMAGE, more=(), **words):
    options = ["--name", "cards", *([] if card is None else ["--nic", card])]
    vm = qemu.Qemu(options, qemu.words(ping="10.0.2.2", **words), more=more, image=image)
    try:
        assert vm.until("mac").startswith("52:54:00:")
        assert vm.until("lease").startswith("10.0.2.15/24, router 10.0.2.2")
        assert "answered 3 of 3" in vm.until("ping")
        assert vm.rest() == 0
    finally:
        vm.close()
        print(vm.text)
    assert not re.search("AddressSanitizer|runtime error:", vm.text), vm.text


@pytest.mark.parametrize("card", list(FIRMWARE)[:None if world.FULL else 1])
def test_firmware_gets_a_lease(w, card):
    with pxe.Pxe([], run=["--nic", card]) as vm:
        assert vm.lease() == "10.0.2.15"
        assert f" using {FIRMWARE[card]} on" in vm.text()


@pytest.mark.parametrize("card", ["virtio-net-pci", "vmxnet3"])
def test_linux_gets_a_lease(w, card):
    linux(card)


@pytest.mark.parametrize("card", ["virtio-net-device", None])
def test_linux_without_pci(w, card):
    """microvm; its card is also the one that run chooses by itself."""
    linux(card, more=MICROVM, no_timer_check=1, **CLOCK)


if world.FULL:  # the kernel of tests/guest/make FOLDER amd64
    @pytest.mark.parametrize("card", ["e1000", "e1000e", "rtl8139", "pcnet", "vmxnet3",
                                      "virtio-net-pci"])
    def test_full_linux_gets_a_lease(w, card):
        linux(card, qemu.IMAGE_FULL)
