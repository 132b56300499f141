/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines by their names; see find.h. */
#include "cli/find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/start.h"
#include "control/request.h"
#include "mode/mode.h"

enum { LISTED_MAX = 8 }; /* candidates that are told */

int find_network(const char *command, const char *name, const char *path,
		 json_t **op, struct error *e)
{
	int r;

	if (!mode_name_ok(name, e))
		return -EINVAL;
	r = start_ask(name, "GET", path, NULL, op, e);
	if (r == -ENOENT)
		return error_set(e, EXIT_NO_NETWORK,
				 "%s: no network %s is running", command, name);
	return r;
}

const json_t *find_in(const json_t *network, const char *machine)
{
	size_t i;
	json_t *m;

	json_array_foreach(json_object_get(network, "machines"), i, m) {
		if (strcmp(ctl_str(m, "name"), machine) == 0)
			return m;
	}
	return NULL;
}

static void put_candidate(FILE *f, unsigned *np, const json_t *network,
			  const char *machine)
{
	if (*np < LISTED_MAX)
		fprintf(f, "%s%s/%s", *np ? ", " : "", ctl_str(network, "name"),
			machine);
	else if (*np == LISTED_MAX)
		fputs(" ..", f);
	++*np;
}

/* "lab/a, lab/b": all machines of the networks in list, or those of that
 * name. */
static unsigned candidates(const json_t *list, const char *name, char *buf,
			   size_t len)
{
	FILE *f = fmemopen(buf, len, "w");
	unsigned n = 0;
	size_t i, k;
	json_t *o, *m;

	buf[0] = '\0';
	if (!f)
		return 0;
	json_array_foreach(list, i, o) {
		json_array_foreach(json_object_get(o, "machines"), k, m) {
			const char *its = ctl_str(m, "name");

			if (!name || strcmp(its, name) == 0)
				put_candidate(f, &n, o, its);
		}
	}
	fclose(f);
	buf[len - 1] = '\0';
	return n;
}

static int none_found(const json_t *list, const char *text, struct error *e)
{
	char names[160];

	if (!candidates(list, NULL, names, sizeof(names)))
		return error_set(e, EXIT_NO_OBJECT,
				 "no machine %s runs, nor any other", text);
	return error_set(e, EXIT_NO_OBJECT,
			 "no machine %s runs; there are %s", text, names);
}

static void take(struct found *f, json_t *o, const char *machine)
{
	snprintf(f->network, sizeof(f->network), "%s", ctl_str(o, "name"));
	snprintf(f->machine, sizeof(f->machine), "%s", machine);
	f->o = json_incref(o);
}

static int find_in_all(const char *name, struct found *f, struct error *e)
{
	json_t *list = json_array(), *o;
	char names[160];
	unsigned n;
	size_t i;
	int r = -ENOMEM;

	if (list)
		/* One to which another command gives its keeper back. */
		r = ctl_ask_all(start_ask, list, e);
	else
		error_errno(e, ENOMEM, "%s", name);
	n = r < 0 ? 0 : candidates(list, name, names, sizeof(names));
	if (r == 0 && n == 0)
		r = none_found(list, name, e);
	if (n > 1)
		r = error_set(e, EXIT_NO_OBJECT,
			      "which %s? There are %s; name one of them", name,
			      names);
	if (n == 1) {
		json_array_foreach(list, i, o) {
			if (find_in(o, name))
				take(f, o, name);
		}
	}
	json_decref(list);
	return r;
}

static int find_in_one(const char *network, const char *name, struct found *f,
		       struct error *e)
{
	json_t *o = NULL, *list;
	int r = start_ask(network, "GET", CONTROL_NETWORK, NULL, &o, e);

	if (r == -ENOENT)
		return error_set(e, EXIT_NO_NETWORK,
				 "no network %s is running; vmlan ls lists "
				 "them",
				 network);
	if (r < 0)
		return r;
	if (find_in(o, name)) {
		take(f, o, name);
	} else {
		list = json_pack("[O]", o);
		r = none_found(list, name, e);
		json_decref(list);
	}
	json_decref(o);
	return r;
}

int find_machine(const char *text, struct found *f, struct error *e)
{
	char network[CONTROL_NAME_LEN] = "";
	const char *slash = strchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	size_t len = slash ? (size_t)(slash - text) : 0;

	*f = FOUND_NULL;
	if (!control_name_ok(name) || len >= sizeof(network) ||
	    (slash && !len))
		return error_set(e, EXIT_USAGE,
				 "'%s' is no machine's name: VM or NETWORK/VM",
				 text);
	if (!slash)
		return find_in_all(name, f, e);
	memcpy(network, text, len);
	if (!mode_name_ok(network, e))
		return -EINVAL;
	return find_in_one(network, name, f, e);
}

void found_deinit(struct found *f)
{
	json_decref(f->o);
	*f = FOUND_NULL;
}

int find_place(const char *text, char network[CONTROL_NAME_LEN],
	       char machine[CONTROL_NAME_LEN], struct error *e)
{
	struct found found = FOUND_NULL;
	json_t *o = NULL;
	int r = -ENOENT;

	machine[0] = '\0';
	if (!strchr(text, '/') && control_name_ok(text))
		r = start_ask(text, "GET", CONTROL_NETWORK, NULL, &o, e);
	json_decref(o);
	if (r == 0)
		snprintf(network, CONTROL_NAME_LEN, "%s", text);
	if (r != -ENOENT)
		return r;
	r = find_machine(text, &found, e);
	memcpy(network, found.network, CONTROL_NAME_LEN);
	memcpy(machine, found.machine, CONTROL_NAME_LEN);
	found_deinit(&found);
	return r;
}
