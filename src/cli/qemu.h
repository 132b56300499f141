/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a QEMU command line says that `vmlan run` must know: whether it names
 * a network of its own, what the machine is called, which NIC it can take.
 * Text only; nothing is started here but `QEMU --version`.
 */
#ifndef CLI_QEMU_H
#define CLI_QEMU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct qemu_cmd {
	bool is_qemu;		 /* argv[0] is called qemu-system-* or kvm */
	bool daemonizes;	 /* -daemonize: goes on after it has ended */
	const char *network_opt; /* "-nic": the first option that names a
				  * network; NULL if there is none */
	const char *nic_model;	 /* what the machine takes by default */
	bool uses_kvm;		 /* and never TCG */
	bool sets_boot;		 /* what it starts from: -boot, bootindex= */
	bool sets_memory;	 /* memory backends of its own */
	char memory[24];	 /* -m as a memory backend's size=, with its
				  * unit; "" = not given, or not simple */
	bool has_smbios;	 /* the machine has SMBIOS, as far as we know */
	bool sets_serial;	 /* -smbios type=1,serial= */
	const char *disk;	 /* path of the first, borrowed from argv,
				  * disk_len bytes; NULL = none is known */
	size_t disk_len;
	char name[64];		 /* -name, else the first disk's base name,
				  * else "vm"; letters, digits, - . _ */
};

/* Reads argv (NULL-terminated). Never fails: what is not understood is
 * QEMU's to judge. */
void qemu_cmd_parse(char *const *argv, struct qemu_cmd *cmdp);

/* Version of the QEMU program as major * 100 + minor (7.2 = 702), or a
 * negative errno: -ENOENT not found, -EACCES not executable, -EPROTO no
 * version in its answer. */
int qemu_version(const char *program);
/* The version in QEMU's answer to --version; -EPROTO if there is none. */
int qemu_version_parse(const char *text);

#endif
