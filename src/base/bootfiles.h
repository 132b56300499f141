/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names by which the boot program of an architecture is known, in the order
 * in which one is looked for.  The keeper looks which of them a folder has, the
 * gateway chooses among those.
 */
#ifndef BASE_BOOTFILES_H
#define BASE_BOOTFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum boot_class {
	BOOT_NONE,
	BOOT_BIOS,    /* of a PC */
	BOOT_IA32,    /* UEFI, as those below */
	BOOT_X64,
	BOOT_ARM32,
	BOOT_ARM64,
	BOOT_RISCV64,
	BOOT_LOONG64,
	BOOT_IPXE, /* no program but a script, for iPXE itself */
	BOOT_CLASSES
};

struct boot_file {
	enum boot_class class;
	bool is_ipxe; /* which would only load itself again */
	const char *name; /* below the folder; NULL ends the table */
};

/* At most 64 rows: sets of them are a uint64_t. */
extern const struct boot_file boot_files[];

/* The class of a processor architecture as DHCP numbers them (RFC 4578 2.1, RFC
 * 5970 3.3, IANA); *is_httpp: of firmware that boots by HTTP. */
enum boot_class boot_class_of(uint16_t arch, bool *is_httpp);
/* "BIOS", "UEFI x64" ..; static. */
const char *boot_class_name(enum boot_class c);

#endif
