/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What cloud-init is told where the user has written nothing himself: his SSH
 * keys, and who the machine is.  Text; used by run_cloud.c.
 */
#ifndef CLI_CLOUD_H
#define CLI_CLOUD_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

/* Appends the keys that text of len bytes has, a line each as in *.pub files
 * and what ssh-add -L prints, to the list, unless they are there already.
 * Other lines, and certificates, are passed over. */
void cloud_put_keys(json_t *keys, const char *text, size_t len);
/* The public keys of the user who calls: those of ~/.ssh and of his agent.  The
 * caller's; NULL with one line in *e: there is none. */
json_t *cloud_keys(struct error *e);
/* A user-data that lets the keys in: for the image's own user, and for one of
 * this name (NULL: there is none), who may become root; "root": for root.  The
 * caller frees; NULL: no memory. */
char *cloud_user_data(const json_t *keys, const char *user);
/* A meta-data: the machine's name, as one of a host, and which instance it is,
 * the same in each run of it with the disk of this path (NULL: none is known).
 * NULL: no memory. */
char *cloud_meta_data(const char *host, const char *name, const char *disk);

#endif
