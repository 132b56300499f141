/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bodies of requests: text that somebody sent to the control socket, made
 * a checked struct.  Called by the keeper; opens nothing.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/error.h"
#include "control/protocol.h"

/* A name of a network or machine: letters, digits, '-', '.', '_', a letter or
 * digit first, less than CONTROL_NAME_LEN of them. */
bool control_name_ok(const char *name);

/* POST /v1/machines. */
struct attach_request {
	char name[CONTROL_NAME_LEN]; /* one taken gets a number behind it */
	bool is_vhost;		     /* "link": "vhost-user", else "stream" */
	unsigned queues; /* pairs, with is_vhost; 0: not said, one */
	bool vmm_listens;	     /* "listen": "vmm", else "vmlan" */
	pid_t pid;		     /* whose life the machine's is */
	pid_t netns; /* the card is eth0 in the network namespace of that
		      * process, and there is no socket; 0 = not so */
	bool has_hub;
	int hub;	  /* the machine is on that hub instead of the LAN */
	bool picks_mac;	  /* "mac": "auto": made of the names */
	bool has_mac;	  /* neither: the card's address is not known */
	mac mac;
	unsigned nic;	  /* number of the machine's card, for "auto" */
	char **forwards;  /* owned; as hostfwd= of the netdev user */
	unsigned n_forwards;
};

/* Fills *a, which is the caller's (attach_request_deinit), from len bytes of
 * JSON; -1 with one line in *e (EXIT_USAGE), *a is empty then. */
__attribute__((warn_unused_result)) int
attach_request_parse(const char *text, size_t len, struct attach_request *a,
		     struct error *e);
void attach_request_deinit(struct attach_request *a);
/* The same as text, which the caller frees; NULL: no memory. */
char *attach_request_format(const struct attach_request *a);

/* POST /v1/captures, PUT /v1/captures/kept. */
struct capture_request {
	char machine[CONTROL_NAME_LEN]; /* "": the network */
	uint32_t memory;   /* "memory": bytes, CONTROL_CAPTURE_MIN or more; 0:
			    * not said, or none */
	uint32_t snap_len; /* "snaplen": bytes of each frame; 0: all */
	bool is_last;	   /* "last": of what is kept, nothing new */
};

/* -1 with one line in *e (EXIT_USAGE). */
__attribute__((warn_unused_result)) int
capture_request_parse(const char *text, size_t len, struct capture_request *c,
		      struct error *e);

/* {"pid": N} and {"kept": BOOL}; -1 with one line in *e (EXIT_USAGE). */
__attribute__((warn_unused_result)) int
life_request_parse(const char *text, size_t len, pid_t *pidp, struct error *e);
__attribute__((warn_unused_result)) int
kept_request_parse(const char *text, size_t len, bool *keptp, struct error *e);

#endif
