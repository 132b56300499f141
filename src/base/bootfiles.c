/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of boot programs; see bootfiles.h. */
#include "base/bootfiles.h"

#include "base/mem.h"

/* Of iPXE's own first, for it loads all others; then shims, which firmware
 * with Secure Boot takes; then boot loaders. */
const struct boot_file boot_files[] = {
	{BOOT_IPXE, false, "boot.ipxe"},
	{BOOT_IPXE, false, "autoexec.ipxe"},
	{BOOT_BIOS, true, "undionly.kpxe"},
	{BOOT_BIOS, true, "ipxe.pxe"},
	{BOOT_BIOS, false, "lpxelinux.0"},
	{BOOT_BIOS, false, "pxelinux.0"},
	{BOOT_BIOS, false, "boot/grub/i386-pc/core.0"},
	{BOOT_IA32, true, "ipxe-i386.efi"},
	{BOOT_IA32, false, "bootia32.efi"},
	{BOOT_IA32, false, "BOOTIA32.EFI"},
	{BOOT_IA32, false, "grubia32.efi"},
	{BOOT_IA32, false, "boot/grub/i386-efi/core.efi"},
	{BOOT_X64, true, "ipxe.efi"},
	{BOOT_X64, true, "snponly.efi"},
	{BOOT_X64, true, "ipxe-x86_64.efi"},
	{BOOT_X64, false, "shimx64.efi"},
	{BOOT_X64, false, "bootnetx64.efi"},
	{BOOT_X64, false, "grubx64.efi"},
	{BOOT_X64, false, "bootx64.efi"},
	{BOOT_X64, false, "BOOTX64.EFI"},
	{BOOT_X64, false, "EFI/BOOT/BOOTX64.EFI"},
	{BOOT_X64, false, "boot/grub/x86_64-efi/core.efi"},
	{BOOT_ARM32, false, "grubarm.efi"},
	{BOOT_ARM32, false, "bootarm.efi"},
	{BOOT_ARM32, false, "BOOTARM.EFI"},
	{BOOT_ARM32, false, "boot/grub/arm-efi/core.efi"},
	{BOOT_ARM64, true, "ipxe-arm64.efi"},
	{BOOT_ARM64, true, "snponly-arm64.efi"},
	{BOOT_ARM64, false, "shimaa64.efi"},
	{BOOT_ARM64, false, "bootnetaa64.efi"},
	{BOOT_ARM64, false, "grubaa64.efi"},
	{BOOT_ARM64, false, "bootaa64.efi"},
	{BOOT_ARM64, false, "BOOTAA64.EFI"},
	{BOOT_ARM64, false, "EFI/BOOT/BOOTAA64.EFI"},
	{BOOT_ARM64, false, "boot/grub/arm64-efi/core.efi"},
	{BOOT_RISCV64, true, "ipxe-riscv64.efi"},
	{BOOT_RISCV64, false, "grubriscv64.efi"},
	{BOOT_RISCV64, false, "bootriscv64.efi"},
	{BOOT_RISCV64, false, "BOOTRISCV64.EFI"},
	{BOOT_LOONG64, true, "ipxe-loong64.efi"},
	{BOOT_LOONG64, false, "grubloongarch64.efi"},
	{BOOT_LOONG64, false, "bootloongarch64.efi"},
	{BOOT_LOONG64, false, "BOOTLOONGARCH64.EFI"},
	{.name = NULL},
};

_Static_assert(array_len(boot_files) - 1 <= 64, "sets are 64 bits");

enum boot_class boot_class_of(uint16_t arch, bool *is_httpp)
{
	static const struct {
		uint16_t plain, http;
		enum boot_class class;
	} known[] = {
		{0x00, 0x14, BOOT_BIOS},
		{0x06, 0x0f, BOOT_IA32},
		{0x07, 0x10, BOOT_X64},
		/* byte code, by the number; but firmware of x64 says it, too,
		 * as RFC 4578 had the two exchanged */
		{0x09, 0x11, BOOT_X64},
		{0x0a, 0x12, BOOT_ARM32},
		{0x0b, 0x13, BOOT_ARM64},
		{0x1b, 0x1c, BOOT_RISCV64},
		{0x27, 0x28, BOOT_LOONG64},
	};

	for (size_t i = 0; i < array_len(known); i++) {
		*is_httpp = arch == known[i].http;
		if (arch == known[i].plain || *is_httpp)
			return known[i].class;
	}
	*is_httpp = false;
	return BOOT_NONE;
}

const char *boot_class_name(enum boot_class c)
{
	static const char *const names[BOOT_CLASSES] = {
		[BOOT_NONE] = "unknown",     [BOOT_BIOS] = "BIOS",
		[BOOT_IA32] = "UEFI ia32",   [BOOT_X64] = "UEFI x64",
		[BOOT_ARM32] = "UEFI arm",   [BOOT_ARM64] = "UEFI arm64",
		[BOOT_RISCV64] = "UEFI riscv64",
		[BOOT_LOONG64] = "UEFI loongarch64",
		[BOOT_IPXE] = "iPXE",
	};

	return names[c];
}
