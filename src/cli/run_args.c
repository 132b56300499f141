/* SPDX-License-Identifier: BSD-3-Clause */
/* The VMM's arguments: with the cards added, or sockets' paths put in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/run.h"

enum {
	WORDS_OF_MEMORY = 4,
	WORDS_OF_NIC = 6, /* at most */
	WORDS_OF_CLOUD = 2,
	PLACE_LEN = 24,	  /* of a placeholder */
};

/* ---- QEMU ---- */

/* "vmlan0", "vmlan1" ..: ids of a card's parts */
static unsigned number_of(const struct run *r, const struct run_nic *nic)
{
	return (unsigned)(nic - r->nics);
}

static char *print_netdev(const struct run *r, const struct run_nic *nic)
{
	unsigned i = number_of(r, nic);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (nic->is_vhost) {
		fprintf(f, "vhost-user,id=vmlan%u,chardev=vmlan%u", i, i);
		if (nic->card.queues > 1)
			fprintf(f, ",queues=%u", nic->card.queues);
		return fclose(f) == 0 ? text : NULL;
	}
	fprintf(f, "stream,id=vmlan%u,addr.type=unix,addr.path=", i);
	netdev_value_put(f, nic->socket);
	fputs(nic->qemu_serves ? ",server=on" : ",server=off,reconnect-ms=1000",
	      f);
	return fclose(f) == 0 ? text : NULL;
}

/* What a card of several queues needs: an interrupt for each ring, one for the
 * control queue, one for changes. */
static void print_queues(const struct run_nic *nic, char *buf, size_t len)
{
	unsigned n = nic->card.queues;

	buf[0] = '\0';
	if (n <= 1)
		return;
	if (strncmp(nic->card.model->device, "virtio-net-pci",
		    strlen("virtio-net-pci")) == 0)
		snprintf(buf, len, ",mq=on,vectors=%u", 2 * n + 2);
	else
		snprintf(buf, len, ",mq=on");
}

static char *print_device(const struct run *r, const struct run_nic *nic)
{
	const char *more = "";
	char queues[32], *text;

	for (unsigned i = 0; i < r->n_nets; i++) {
		if (r->nets[i].what == NET_OPTION_CARD)
			more = r->nets[i].device;
	}
	/* By the device, for UEFI does not look at -boot. */
	print_queues(nic, queues, sizeof(queues));
	if (asprintf(&text, "%s,netdev=vmlan%u,mac=%s%s%s%s",
		     nic->card.model ? nic->card.model->device
				     : r->qemu.nic_model,
		     number_of(r, nic), nic->mac, queues, more,
		     r->pxe_nic == nic && !r->qemu.sets_boot ? ",bootindex=0"
							     : "") < 0)
		return NULL;
	return text;
}

static char *print_chardev(const struct run *r, const struct run_nic *nic)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "socket,id=vmlan%u,path=", number_of(r, nic));
	netdev_value_put(f, nic->socket);
	fputs(r->has_ms ? ",reconnect-ms=1000" : ",reconnect=1", f);
	return fclose(f) == 0 ? text : NULL;
}

/* Memory that the engines can map. */
static int add_memory(const struct run *r, char **args, int n)
{
	char *text = NULL;

	args[n++] = strdup("-object");
	if (asprintf(&text,
		     "memory-backend-memfd,id=vmlan-ram,share=on,size=%s",
		     r->qemu.memory) < 0)
		text = NULL;
	args[n++] = text;
	args[n++] = strdup("-machine");
	args[n++] = strdup("memory-backend=vmlan-ram");
	return n;
}

static int add_nic(const struct run *r, const struct run_nic *nic, char **args,
		   int n)
{
	if (nic->is_vhost) {
		args[n++] = strdup("-chardev");
		args[n++] = print_chardev(r, nic);
	}
	args[n++] = strdup("-netdev");
	args[n++] = print_netdev(r, nic);
	args[n++] = strdup("-device");
	args[n++] = print_device(r, nic);
	return n;
}

static int add_qemu_words(const struct run *r, char **args, int n)
{
	bool has_vhost = false;

	if (!r->n_nics && r->is_none && !r->qemu.network_opt) {
		args[n++] = strdup("-nic");
		args[n++] = strdup("none");
	}
	for (unsigned i = 0; i < r->n_nics; i++)
		has_vhost |= r->nics[i].is_vhost;
	if (has_vhost)
		n = add_memory(r, args, n);
	for (unsigned i = 0; i < r->n_nics; i++)
		n = add_nic(r, &r->nics[i], args, n);
	if (r->cloud.is_on && !r->qemu.sets_serial) {
		args[n++] = strdup("-smbios");
		args[n++] = run_cloud_smbios(r);
	}
	return n;
}

/* ---- other VMMs ---- */

/* "{socket}" is the first card's, "{socket2}" the second's. */
static void placeholder(unsigned i, char buf[PLACE_LEN])
{
	if (i)
		snprintf(buf, PLACE_LEN, "{socket%u}", i + 1);
	else
		snprintf(buf, PLACE_LEN, "{socket}");
}

static const char cloud_place[] = "{cloud}";

static bool has_place(const struct run *r, const char *place)
{
	for (int i = 1; i < r->n_vmm; i++) {
		if (strstr(r->vmm[i], place))
			return true;
	}
	return false;
}

int run_args_check(const struct run *r)
{
	char place[PLACE_LEN];

	for (unsigned i = 0; i < r->n_nics; i++) {
		placeholder(i, place);
		if (!has_place(r, place))
			return cli_usage("run: %s is not QEMU: say where its "
					 "arguments take the path of a QEMU "
					 "stream socket, by writing %s there",
					 r->vmm[0], place);
	}
	if (r->cloud.is_on && !has_place(r, cloud_place))
		return cli_usage("run: %s is not QEMU: say where its arguments "
				 "take the URL at which cloud-init finds its "
				 "data, by writing %s there, as in "
				 "ds=nocloud;s=%s",
				 r->vmm[0], cloud_place, cloud_place);
	return 0;
}

/* The card whose placeholder is at text, its length in *lenp; NULL if none
 * is. */
static const struct run_nic *place_at(const struct run *r, const char *text,
				      size_t *lenp)
{
	char place[PLACE_LEN];

	for (unsigned i = 0; i < r->n_nics; i++) {
		placeholder(i, place);
		*lenp = strlen(place);
		if (strncmp(text, place, *lenp) == 0)
			return &r->nics[i];
	}
	return NULL;
}

static char *substitute(const struct run *r, const char *arg)
{
	static const size_t n_place = sizeof(cloud_place) - 1;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	while (*arg) {
		const struct run_nic *nic = place_at(r, arg, &len);

		if (nic) {
			fputs(nic->socket, f);
			arg += len;
		} else if (r->cloud.is_on && strncmp(arg, cloud_place,
						     n_place) == 0) {
			fputs(r->cloud.url, f);
			arg += n_place;
		} else {
			fputc(*arg++, f);
		}
	}
	return fclose(f) == 0 ? text : NULL;
}

/* ---- all of them ---- */

void run_args_free(char **args)
{
	for (size_t i = 0; args && args[i]; i++)
		free(args[i]);
	free(args);
}

char **run_args_make(struct run *r, int *codep)
{
	size_t max = (size_t)r->n_vmm + WORDS_OF_MEMORY + WORDS_OF_CLOUD +
		     (size_t)r->n_nics * WORDS_OF_NIC + 1;
	char **args = calloc(max, sizeof(*args));
	bool whole = args != NULL;
	int n = 0;

	for (; whole && n < r->n_vmm; n++) {
		args[n] = r->qemu.is_qemu ? strdup(r->vmm[n])
					  : substitute(r, r->vmm[n]);
		whole = args[n] != NULL;
	}
	if (whole && r->qemu.is_qemu)
		n = add_qemu_words(r, args, n);
	for (int i = 0; i < n; i++)
		whole = whole && args[i];
	if (!whole) {
		*codep = run_failure(EXIT_RUN_FAILED, "run: out of memory");
		run_args_free(args);
		return NULL;
	}
	return args;
}
