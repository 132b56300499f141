/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the VMM is, and by which cable each of its cards is plugged in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run.h"

enum {
	QEMU_STREAM = 702,    /* first with -netdev stream */
	QEMU_RECONNECT = 902, /* first whose stream client reconnects */
};

/* Looks a program up as execvp() will: 0, ENOENT, EACCES. */
static int find_program(const char *name)
{
	const char *path = getenv("PATH");
	int err = ENOENT;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? 0 : errno;
	for (path = path ? path : "/usr/bin:/bin"; *path;) {
		size_t len = strcspn(path, ":");
		char full[4096];

		snprintf(full, sizeof(full), "%.*s/%s", len ? (int)len : 1,
			 len ? path : ".", name);
		if (access(full, X_OK) == 0)
			return 0;
		if (access(full, F_OK) == 0)
			err = EACCES;
		path += len;
		path += *path == ':';
	}
	return err;
}

/* Before anything is built for it. */
static int check_program(const char *name)
{
	int err = find_program(name);

	if (err == ENOENT)
		return run_failure(EXIT_RUN_NOT_FOUND,
				   "%s: not found; is it installed?", name);
	if (err)
		return run_failure(EXIT_RUN_CANNOT,
				   "%s: cannot be executed: %s", name,
				   strerror(err));
	return 0;
}



/* Why the guest's virtqueues cannot be reached; NULL: they can. */
static const char *why_no_vhost(const struct run *r,
				const struct run_nic *nic, int version)
{
	const char *device = nic->card.model ? nic->card.model->device
					     : r->qemu.nic_model;

	if (strncmp(device, "virtio-net-", strlen("virtio-net-")) != 0)
		return "the card has no virtqueues";
	if (strcmp(device, "virtio-net-ccw") == 0)
		return "not with this machine";
	if (r->qemu.sets_memory)
		return "the command line sets up its memory itself";
	if (!r->qemu.memory[0])
		return "the command line tells no memory size (-m)";
	/* QEMU 7.2 dies in a guest's first steps with vhost-user and TCG. */
	if (version < QEMU_RECONNECT && !r->qemu.uses_kvm)
		return "this QEMU can do it with KVM only";
	return NULL;
}

/* How the machine is plugged in: its rings in shared memory where that can
 * be, else a stream of frames.  Who listens: a stream client of QEMU before
 * 9.2 cannot connect a second time; a vhost-user one always could. */
static int choose_link(struct run *r, struct run_nic *nic, int version)
{
	const char *why = why_no_vhost(r, nic, version);
	char which[24] = "network";

	if (r->n_nics > 1)
		snprintf(which, sizeof(which), "network %d",
			 (int)(nic - r->nics) + 1);
	if (why && nic->card.queues > 1)
		return run_failure(EXIT_RUN_FAILED,
				   "run: queues=%u of --nic needs vhost-user: "
				   "%s", nic->card.queues, why);
	r->has_ms = version >= QEMU_RECONNECT;
	nic->is_vhost = !why;
	nic->qemu_serves = why && !r->has_ms;
	if (why)
		log_info(&r->common.log, "%s by stream: %s", which, why);
	else
		log_info(&r->common.log, "%s by vhost-user", which);
	return 0;
}

/* A VMM that is not QEMU has a stream of frames. */
static int check_other(const struct run *r)
{
	for (unsigned i = 0; i < r->n_nics; i++) {
		if (r->nics[i].card.queues > 1)
			return cli_usage("run: queues=%u of --nic is for QEMU, "
					 "which %s is not",
					 r->nics[i].card.queues, r->vmm[0]);
	}
	return run_args_check(r);
}

/* Before 7.2 there is no way at all. */
int run_choose_links(struct run *r)
{
	int version, err = check_program(r->vmm[0]);

	if (err)
		return err;
	if (!r->qemu.is_qemu)
		return check_other(r);
	version = qemu_version(r->vmm[0]);
	if (version == -EACCES)
		return run_failure(EXIT_RUN_CANNOT,
				   "%s: cannot be executed: %s", r->vmm[0],
				   strerror(EACCES));
	if (version < 0)
		return run_failure(
			EXIT_RUN_CANNOT,
			"%s: did not tell its version (%s --version)",
			r->vmm[0], r->vmm[0]);
	if (version < QEMU_STREAM)
		return run_failure(EXIT_RUN_FAILED,
				   "%s is version %d.%d; -netdev stream needs "
				   "7.2 or later",
				   r->vmm[0], version / 100, version % 100);
	for (unsigned i = 0; i < r->n_nics && !err; i++)
		err = choose_link(r, &r->nics[i], version);
	return err;
}
