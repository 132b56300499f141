/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan cap: what goes through a network, or by one machine's port. */
#include "cli/cap.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "control/request.h"

static const char usage[] =
	"usage: vmlan cap [OPTIONS] NETWORK|VM|NETWORK/VM [FILTER]\n"
	"       vmlan cap [--json] NETWORK|VM|NETWORK/VM ls\n"
	"Writes the frames of a network, or of one machine's port, as pcapng,\n"
	"until ^C: vmlan cap lab | wireshark -k -i -; ls: which captures run\n"
	"  -w FILE          to that file\n"
	"  -c N             that many frames\n"
	"  -s BYTES         the first bytes of each frame only\n"
	"  --memory SIZE    for what is not yet written (8mb)\n"
	"  --keep SIZE|off  keep the last frames in so much memory\n"
	"  --last TIME      write those that were kept: --last 30s\n"
	"  --json           of ls: as JSON\n"
	"FILTER is one of libpcap's: 'tcp port 53'; see pcap-filter(7).\n";

/* What is captured. */
struct target {
	char network[CONTROL_NAME_LEN];
	char machine[CONTROL_NAME_LEN]; /* "": all */
};

/* A network's name comes before a machine's. */
static int find_target(const struct cap_args *a, struct target *t,
		       struct error *e)
{
	struct found f = FOUND_NULL;
	json_t *o = NULL;
	int r = -ENOENT;

	*t = (struct target){.network = ""};
	if (!strchr(a->name, '/') && control_name_ok(a->name))
		r = start_ask(a->name, "GET", CONTROL_NETWORK, NULL, &o, e);
	if (r == 0) {
		snprintf(t->network, sizeof(t->network), "%s", a->name);
		json_decref(o);
		return 0;
	}
	if (r != -ENOENT)
		return r;
	r = find_machine(a->name, &f, e);
	if (r == 0) {
		memcpy(t->network, f.network, sizeof(t->network));
		memcpy(t->machine, f.machine, sizeof(t->machine));
	}
	found_deinit(&f);
	return r;
}

/* A machine that has gone may be what was kept: NETWORK/VM names it. */
static int find_kept(const struct cap_args *a, struct target *t,
		     struct error *e)
{
	const char *slash = strchr(a->name, '/');
	size_t len = slash ? (size_t)(slash - a->name) : 0;
	json_t *o = NULL;
	int r = -ENOENT;

	*t = (struct target){.network = ""};
	if (len && len < sizeof(t->network) && control_name_ok(slash + 1)) {
		memcpy(t->network, a->name, len);
		snprintf(t->machine, sizeof(t->machine), "%s", slash + 1);
	}
	if (control_name_ok(t->network))
		r = start_ask(t->network, "GET", CONTROL_NETWORK, NULL, &o, e);
	json_decref(o);
	return r == -ENOENT ? find_target(a, t, e) : r; /* which says so */
}

/* What goes through it from now on is of a machine that is there. */
static bool is_of_past(const struct cap_args *a)
{
	return a->last_ns || a->lists || (a->keeps && !a->keep);
}

static char *body_of(const struct cap_args *a, const struct target *t)
{
	uint32_t memory = a->keeps ? a->keep : a->memory;
	json_t *o = json_pack("{s:s*,s:i,s:i,s:b}", "machine",
			      t->machine[0] ? t->machine : NULL, "memory",
			      (int)memory, "snaplen", (int)a->snap_len, "last",
			      a->last_ns != 0);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

static int keep(const struct cap_args *a, const struct target *t,
		const char *body, struct error *e)
{
	json_t *o = NULL;
	int r = ctl_ask(t->network, "PUT", CONTROL_CAPTURES_KEPT, body, &o, e);

	if (r == -ENOENT)
		return error_set(e, EXIT_NO_NETWORK, "%s has just ended",
				 t->network);
	if (r == 0 && a->keep)
		printf("the last frames of %s are kept, in %d MiB; vmlan cap "
		       "%s --last 30s -w FILE writes them\n",
		       a->name, ctl_int(o, "memory") >> 20, a->name);
	json_decref(o);
	return r;
}

static int capture(const struct cap_args *a, const struct target *t,
		   const char *body, struct error *e)
{
	struct ctl_upgraded u = CTL_UPGRADED_NULL;
	struct cap_out o;
	char comment[256];
	int r = cap_out_open(&o, a, e);

	if (r < 0)
		return r;
	snprintf(comment, sizeof(comment), "vmlan cap: %s %s%s%s; in: from the "
		 "machine, out: to it",
		 t->machine[0] ? "port of machine" : "all that enters network",
		 t->network, t->machine[0] ? "/" : "", t->machine);
	o.comment = comment;
	o.what = a->name;
	r = ctl_upgrade(t->network, CONTROL_CAPTURES, CONTROL_CAPTURE_UPGRADE,
			body, &u, e);
	if (r == 0 && u.n_fds < (a->last_ns ? 1 : 2))
		r = error_set(e, EXIT_FAILED,
			      "%s: its keeper gave no memory to read",
			      t->network);
	if (r == 0)
		cap_out_begin(&o);
	if (r == 0 && !a->last_ns && isatty(STDERR_FILENO))
		fprintf(stderr, "vmlan: capturing %s; ^C ends it\n", a->name);
	if (r == 0)
		r = a->last_ns ? cap_last(&o, u.fds[0], e)
			       : cap_follow(&o, u.fds[0], u.fds[1], u.fd, e);
	ctl_upgraded_close(&u);
	cap_out_close(&o);
	return r;
}

static int cap(const struct cap_args *a, struct error *e)
{
	CLEANUP_FREE char *body = NULL;
	struct target t;
	int r;

	start_sweep();
	r = is_of_past(a) ? find_kept(a, &t, e) : find_target(a, &t, e);
	if (r < 0)
		return r;
	if (a->lists)
		return cap_list(t.network, t.machine, a->is_json, e);
	body = body_of(a, &t);
	if (!body)
		return error_errno(e, ENOMEM, "cap");
	return a->keeps ? keep(a, &t, body, e) : capture(a, &t, body, e);
}

int cmd_cap(int argc, char **argv)
{
	struct error e = ERROR_NULL;
	struct cap_args a;
	int r = cap_args_parse(argc, argv, &a, &e);

	if (r == 0 && a.wants_help)
		fputs(usage, stdout);
	else if (r == 0)
		r = cap(&a, &e);
	cap_args_deinit(&a);
	return r < 0 ? cli_fail(&e) : EXIT_DONE;
}
