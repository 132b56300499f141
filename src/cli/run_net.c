/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's networks: started or joined, held, and left. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/ctl.h"
#include "cli/forward.h"
#include "cli/run.h"
#include "control/request.h"

enum {
	NAMES_MAX = 100, /* web, web-2, .. web-100 */
	/* user or those of -nic and -net, with their hubports */
	SPECS_MAX = MODE_NETDEVS_MAX + 2 * RUN_NETS_MAX,
	ATTACH_TRIES = 20, /* of a network that ends just then */
};

int run_failure(int code, const char *fmt, ...)
{
	struct error e = {.code = (enum exit_code)code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	return cli_fail(&e);
}

int run_net_failure(const struct error *e)
{
	return run_failure(e->code == EXIT_FAILED ? EXIT_RUN_FAILED : e->code,
			   "run: %s", e->text);
}

/* ---- the netdevs of a network ---- */

struct specs {
	struct netdev_spec *v[SPECS_MAX]; /* owned */
	unsigned n;
};

/* NULL: there was no memory for it. */
static int add_spec(struct specs *s, const char *text, struct error *e)
{
	int r;

	if (!text)
		return error_errno(e, ENOMEM, "run");
	r = netdev_parse(text, &s->v[s->n], e);
	if (r == 0)
		s->n++;
	return r;
}

static void specs_deinit(struct specs *s)
{
	for (unsigned i = 0; i < s->n; i++)
		netdev_spec_free(s->v[i]);
	s->n = 0;
}

/* hostfwd= has no ranges: a rule for each port. */
static void put_hostfwds(FILE *f, const struct port_rule *range)
{
	struct port_rule one = *range;
	char text[PORT_RULE_STRLEN];

	for (;;) {
		one.host_hi = one.host_lo;
		fprintf(f, ",hostfwd=%s", port_rule_format(&one, text));
		if (one.host_lo == range->host_hi)
			return;
		one.host_lo++;
		one.guest_lo++;
	}
}

bool run_net_is(const struct net_option *o, const char *type)
{
	size_t len = strlen(type);

	return o->netdev && strncmp(o->netdev, type, len) == 0 &&
	       (!o->netdev[len] || o->netdev[len] == ',');
}

/* The text of a user netdev with all forwards of -p; NULL: no memory. */
static char *user_text(const struct run *r, const char *user)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(user, f);
	for (unsigned i = 0; i < r->n_rules; i++)
		put_hostfwds(f, &r->rules[i]);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Those of -nic and -net; -p belongs to the first user among them. */
static int add_nets(const struct run *r, struct specs *s, struct error *e)
{
	bool has_forwards = false;
	int rc = 0;

	for (unsigned i = 0; i < r->n_nets && rc == 0; i++) {
		const struct net_option *o = &r->nets[i];
		CLEANUP_FREE char *user = NULL;

		if (o->what != NET_OPTION_NETDEV)
			continue;
		if (!has_forwards && run_net_is(o, "user")) {
			has_forwards = true;
			user = user_text(r, o->netdev);
			rc = add_spec(s, user, e);
		} else {
			rc = add_spec(s, o->netdev, e);
		}
		if (rc == 0 && o->hubport)
			rc = add_spec(s, o->hubport, e);
	}
	return rc;
}

static bool is_nat(const struct run_nic *nic)
{
	return nic->mode.mode && nic->mode.mode->owner == MODE_ONES;
}

/* Of several NATs the first has the forwards. */
static bool has_forwards(const struct run *r, const struct run_nic *nic)
{
	for (const struct run_nic *o = r->nics; o < nic; o++) {
		if (mode_has_gateway(o->mode.mode))
			return false;
	}
	return mode_has_gateway(nic->mode.mode);
}

static int add_mode(const struct run *r, struct run_nic *nic, struct specs *s,
		    struct error *e)
{
	char own[sizeof(nic->network)];
	struct mode_netdevs n;
	struct mode_host h;
	int rc;

	start_look_at_host(&h);
	if (nic > r->nics)
		snprintf(own, sizeof(own), "%s-%zu", r->name,
			 (size_t)(nic - r->nics) + 1);
	else
		snprintf(own, sizeof(own), "%s", r->name);
	if (is_nat(nic))
		h.machine = own;
	rc = mode_expand(&nic->mode, &h, &n, e);
	start_forget_host(&h);
	memcpy(nic->start.said, n.said, sizeof(nic->start.said));
	for (unsigned i = 0; i < n.n && rc == 0; i++) {
		CLEANUP_FREE char *user = NULL;

		if (is_nat(nic) && has_forwards(r, nic))
			user = user_text(r, n.text[i]);
		rc = add_spec(s, user ? user : n.text[i], e);
	}
	mode_netdevs_deinit(&n);
	return rc;
}

/* ---- one network ---- */

/* A folder of the machine's own; of two with one name the second gets a
 * number. */
static int start_own(struct run *r, struct run_nic *nic, struct error *e)
{
	const char *mode = nic->start.mode;
	char full[sizeof(nic->network)];
	int rc = -EEXIST;

	for (unsigned i = 1;
	     i <= NAMES_MAX && (rc == -EEXIST || rc == -EXDEV); i++) {
		*e = ERROR_NULL;
		if (i == 1)
			snprintf(full, sizeof(full), "%s-%s", mode, r->name);
		else
			snprintf(full, sizeof(full), "%s-%s-%u", mode, r->name,
				 i);
		memcpy(nic->network, full, sizeof(full));
		rc = start_network(&nic->start, e);
	}
	snprintf(nic->machine, sizeof(nic->machine), "%.63s",
		 full + strlen(mode) + 1);
	return rc;
}

static int start_one(struct run *r, struct run_nic *nic, struct error *e)
{
	const char *mode = nic->mode.mode ? nic->mode.mode->word : "nat";
	struct specs specs = {.n = 0};
	bool is_shared = nic->mode.name[0];
	char mac_name[START_MAC_NAME_LEN];
	int rc = -ENOENT;

	start_mac_name(nic->mode.mode, is_shared ? nic->mode.name : mode,
		       mac_name);
	nic->start = (struct start){
		.name = nic->network,
		.mode = mode,
		.mac_name = mac_name,
		.options = nic->mode.options,
		.n_options = nic->mode.n_options,
		.specs = specs.v,
		.queues = nic->card.queues,
		.is_shared = is_shared,
		.common = &r->common,
		.verbosity = r->verbosity,
		.dir = RUNDIR_NULL,
		.life_fd = -1,
	};
	if (is_shared) {
		memcpy(nic->network, nic->mode.name, sizeof(nic->mode.name));
		memcpy(nic->machine, r->name, sizeof(nic->machine));
		rc = start_join(&nic->start, e);
	}
	if (rc != -ENOENT)
		return rc < 0 ? rc : 0;
	rc = nic->mode.mode ? add_mode(r, nic, &specs, e)
			    : add_nets(r, &specs, e);
	nic->start.n_specs = specs.n;
	if (rc == 0)
		rc = is_shared ? start_or_join(&nic->start, e)
			       : start_own(r, nic, e);
	if (rc == 0 && nic->start.said[0])
		log_info(&r->common.log, "%s", nic->start.said);
	nic->start.specs = NULL;
	nic->start.mac_name = NULL;
	specs_deinit(&specs);
	return rc < 0 ? rc : 0;
}

static int add_forward(struct attach_request *a, const struct port_rule *rule)
{
	char text[PORT_RULE_STRLEN];

	if (a->n_forwards == CONTROL_FORWARDS_MAX)
		return -E2BIG;
	a->forwards[a->n_forwards] = strdup(port_rule_format(rule, text));
	if (!a->forwards[a->n_forwards])
		return -ENOMEM;
	a->n_forwards++;
	return 0;
}

/* The rules of -p that this network is told when the machine is plugged in, one
 * for each port: of a LAN that is the machine's own they are in its netdev. */
static int put_forwards(const struct run *r, const struct run_nic *nic,
			struct attach_request *a)
{
	int rc = 0;

	if (!r->n_rules || !nic->mode.name[0] || !has_forwards(r, nic))
		return 0;
	a->forwards = calloc(CONTROL_FORWARDS_MAX, sizeof(*a->forwards));
	if (!a->forwards)
		return -ENOMEM;
	for (unsigned i = 0; i < r->n_rules && rc == 0; i++) {
		struct port_rule one = r->rules[i];
		unsigned n = (unsigned)(one.host_hi - one.host_lo) + 1;

		for (unsigned k = 0; k < n && rc == 0; k++) {
			one.host_hi = one.host_lo;
			rc = add_forward(a, &one);
			one.host_lo++;
			one.guest_lo++;
		}
	}
	return rc;
}

static void say_forwards(struct run *r, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "forwards");
	json_t *pairs = forward_pairs(list), *f;
	char text[FORWARD_TEXT_LEN];
	size_t i;

	json_array_foreach(list, i, f)
	{
		if (forward_text(f, pairs, text))
			log_info(&r->common.log, "forward %s", text);
	}
	json_decref(pairs);
}

/* Whether the card is on hub 0. Without a netdev on it there is no such hub,
 * and the card alone wherever it is. */
static bool is_on_hub(const struct run *r, const struct run_nic *nic)
{
	bool has_hub = false;

	for (unsigned i = 0; i < r->n_nets; i++)
		has_hub |= r->nets[i].what == NET_OPTION_NETDEV;
	return !nic->mode.mode && r->on_hub && has_hub;
}

/* Until the VMM runs it is this command for whom the machine is there. */
static int attach(struct run *r, struct run_nic *nic, struct error *e)
{
	struct attach_request a = {
		.is_vhost = nic->is_vhost,
		.queues = nic->card.queues,
		.vmm_listens = nic->qemu_serves,
		.pid = getpid(),
		.has_hub = is_on_hub(r, nic),
		.has_mac = nic->card.has_mac,
		.mac = nic->card.mac,
		.picks_mac = !nic->card.has_mac && r->qemu.is_qemu,
		.nic = (unsigned)(nic - r->nics),
	};
	CLEANUP_FREE char *body = NULL;
	json_t *answer = NULL;
	int rc = put_forwards(r, nic, &a);

	snprintf(a.name, sizeof(a.name), "%s", nic->machine);
	if (rc == 0)
		body = attach_request_format(&a);
	attach_request_deinit(&a);
	if (rc == -E2BIG)
		return error_set(e, EXIT_USAGE,
				 "more than %d ports to forward (-p)",
				 CONTROL_FORWARDS_MAX);
	if (!body)
		return error_errno(e, ENOMEM, "run");
	rc = ctl_ask(nic->network, "POST", CONTROL_MACHINES, body, &answer, e);
	if (rc < 0)
		return rc;
	snprintf(nic->machine, sizeof(nic->machine), "%s",
		 ctl_str(answer, "name"));
	snprintf(nic->socket, sizeof(nic->socket), "%s",
		 ctl_str(answer, "socket"));
	snprintf(nic->mac, sizeof(nic->mac), "%s", ctl_str(answer, "mac"));
	nic->is_attached = true;
	say_forwards(r, answer);
	json_decref(answer);
	return 0;
}

int run_nets_start(struct run *r)
{
	if (!r->name[0])
		snprintf(r->name, sizeof(r->name), "%s", r->qemu.name);
	for (unsigned i = 0; i < r->n_nics; i++) {
		struct error e = ERROR_NULL;
		int rc = -ENOENT;

		/* What we joined may have been about to end. */
		for (int k = 0; k < ATTACH_TRIES && rc == -ENOENT; k++) {
			e = ERROR_NULL;
			rc = start_one(r, &r->nics[i], &e);
			if (rc == 0)
				rc = attach(r, &r->nics[i], &e);
			start_done(&r->nics[i].start);
		}
		error_set(&e, EXIT_FAILED, "network %s ended before the "
					   "machine was plugged in",
			  r->nics[i].network);
		if (rc < 0)
			return run_net_failure(&e);
	}
	return 0;
}

/* 0: it was told; negative: there is no keeper. */
static int set_life(const struct run_nic *nic, pid_t pid)
{
	char path[sizeof(CONTROL_MACHINES) + CONTROL_NAME_LEN + 16];
	struct error e = ERROR_NULL;
	char body[32];

	if (!nic->is_attached)
		return 0;
	snprintf(path, sizeof(path), CONTROL_MACHINES "/%s" CONTROL_LIFE,
		 nic->machine);
	snprintf(body, sizeof(body), "{\"pid\":%d}", (int)pid);
	return ctl_ask(nic->network, "PUT", path, body, NULL, &e);
}

void run_nets_hold(struct run *r, pid_t pid)
{
	for (unsigned i = 0; i < r->n_nics; i++) {
		if (set_life(&r->nics[i], pid) == 0)
			continue;
		start_sweep(); /* which gives it another one */
		if (set_life(&r->nics[i], pid) == 0)
			continue;
		fprintf(stderr, "vmlan: warning: the machine's keeper is gone; "
				"its network ends with it\n");
		r->nics[i].is_attached = false;
	}
}

/* Waits for the end of a machine's own network: that of our child, and, if that
 * one was killed, of the keeper that came after it. */
static void await_own(const struct run_nic *nic)
{
	int status = 0;
	pid_t pid;

	if (nic->start.keeper <= 0)
		return;
	do {
		pid = waitpid(nic->start.keeper, &status, 0);
	} while (pid < 0 && errno == EINTR);
	if (pid > 0 && WIFSIGNALED(status) && nic->is_attached)
		start_await_end(nic->network, nic->machine);
}

void run_nets_end(struct run *r)
{
	bool goes_on = r->has_started && r->qemu.daemonizes;

	for (unsigned i = 0; i < r->n_nics; i++) {
		struct run_nic *nic = &r->nics[i];

		start_done(&nic->start);
		if (!goes_on)
			(void)set_life(nic, 0); /* or it is over already */
	}
	for (unsigned i = 0; i < r->n_nics && !goes_on; i++) {
		struct run_nic *nic = &r->nics[i];

		if (nic->mode.name[0] && nic->is_attached)
			start_await_end(nic->network, nic->machine);
		else if (!nic->mode.name[0])
			await_own(nic);
	}
	for (unsigned i = 0; i < r->n_nics; i++)
		rundir_release(&r->nics[i].start.dir);
	start_sweep(); /* if one was killed, it left its folder */
}
