/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan join: the patch cable; a keeper in the foreground. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/start.h"
#include "grammar/net_option.h"
#include "grammar/netdev_spec.h"
#include "keeper/keeper.h"
#include "os/rundir.h"
#include "os/sdnotify.h"

static const char usage[] =
	"usage: vmlan join [options] NETDEV [NETDEV...]\n"
	"Joins these netdevs into one LAN, in the foreground, until SIGTERM.\n"
	"NETDEV is what follows QEMU's -netdev (id= is optional), for example\n"
	"  vmlan join user,hostfwd=tcp::2222-:22 "
	"stream,server=on,addr.type=unix,addr.path=vm0.sock\n"
	"  -netdev NETDEV the same as NETDEV alone\n"
	"  -nic NETDEV    likewise; model= and mac= are the machine's affair\n"
	"  -net NETDEV    on hub 0, which -net nic joins to this LAN\n"
	"  --ready-fd N   write a line to descriptor N when all is served\n"
	"  -v, -q         say more, say only warnings\n"
	"  NETDEV help    the netdevs; TYPE,help the options of one\n"
	"See vmlan-netdev(7).\n";

struct join {
	struct netdev_spec **specs; /* owned */
	unsigned n_specs;
	int ready_fd;
	int verbosity;
	bool helped; /* only help was wanted, and given */
	/* -nic and -net */
	struct net_option *options; /* owned */
	unsigned n_options;
	unsigned n_on_hub; /* specs of -net: each a netdev and a hubport */
	bool has_cable; /* which is joined to this LAN */
	bool is_none;	/* -nic none or -net none was said */
};

static pid_t say_ready(void *arg)
{
	struct join *j = arg;
	struct error e = ERROR_NULL;

	if (sdnotify_send("READY=1", &e) < 0)
		cli_fail(&e); /* the service manager will say more */
	if (j->ready_fd < 0)
		return 0;
	if (write(j->ready_fd, "ready\n", 6) != 6)
		fprintf(stderr, "vmlan: warning: --ready-fd %d: nobody reads\n",
			j->ready_fd);
	/* The standard ones stay: what is opened next must not be one. */
	if (j->ready_fd > 2)
		fd_close(&j->ready_fd);
	j->ready_fd = -1;
	return 0;
}

static int parse_ready_fd(struct join *j, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < 0 || n > 1 << 20)
		return cli_usage("--ready-fd %s: not a descriptor number",
				 text);
	if (lseek((int)n, 0, SEEK_CUR) < 0 && errno == EBADF)
		return cli_usage("--ready-fd %s: descriptor is not open", text);
	j->ready_fd = (int)n;
	return 0;
}

static int add_netdev(struct join *j, const char *text)
{
	const struct netdev_kind *kind;
	struct error e = ERROR_NULL;

	if (netdev_wants_help(text, &kind)) {
		if (kind)
			netdev_kind_help(kind, stdout);
		else
			netdev_help(stdout);
		j->helped = true;
		return 0;
	}
	if (netdev_parse(text, &j->specs[j->n_specs], &e) < 0)
		return cli_fail(&e);
	j->n_specs++;
	return 0;
}

/* A card is the machine's, and its own command line names it: here only the
 * cable to it counts. */
static int add_card(struct join *j, const struct net_option *o)
{
	if (o->peer[0] || j->has_cable)
		return 0;
	j->has_cable = true;
	return add_netdev(j, o->hubport);
}

static int add_option(struct join *j, const char *text, bool is_net)
{
	struct net_option *o = &j->options[j->n_options];
	const struct netdev_kind *kind;
	struct error e = ERROR_NULL;
	int r;

	if (netdev_wants_help(text, &kind))
		return add_netdev(j, text);
	r = is_net ? net_option_net(text, j->n_options, o, &e)
		   : net_option_nic(text, o, &e);
	if (r < 0)
		return cli_fail(&e);
	j->n_options++;
	switch (o->what) {
	case NET_OPTION_NONE:
		j->is_none = true;
		return 0;
	case NET_OPTION_CARD:
		return add_card(j, o);
	case NET_OPTION_NETDEV:
		break;
	}
	r = add_netdev(j, o->netdev);
	if (r || !o->hubport)
		return r;
	j->n_on_hub += 2;
	return add_netdev(j, o->hubport);
}

static int add_net(struct join *j, const char *text)
{
	return add_option(j, text, true);
}

static int add_nic(struct join *j, const char *text)
{
	return add_option(j, text, false);
}

/* QEMU's options, with one dash or two; 0 if word is none of them. */
static int parse_qemu(struct join *j, const char *word, const char *next,
		      int *rp)
{
	static const struct {
		const char *name;
		int (*add)(struct join *j, const char *text);
	} options[] = {
		{"-netdev", add_netdev}, {"-net", add_net}, {"-nic", add_nic},
	};

	if (word[0] == '-' && word[1] == '-')
		word++;
	for (size_t i = 0; i < array_len(options); i++) {
		const char *value;
		int took = cli_value(word, next, options[i].name, &value);

		if (took > 0)
			*rp = options[i].add(j, value);
		if (took)
			return took;
	}
	return 0;
}

static bool has_id(const struct join *j, const char *id)
{
	for (unsigned i = 0; i < j->n_specs; i++) {
		const char *own = spec_id(j->specs[i]);

		if (own && strcmp(own, id) == 0)
			return true;
	}
	return false;
}

/* What only all words together tell. */
static int check_all(const struct join *j)
{
	for (unsigned i = 0; i < j->n_options; i++) {
		const char *peer = j->options[i].peer;

		if (peer[0] && !has_id(j, peer))
			return cli_usage("join: netdev '%s' not found (-net "
					 "nic)",
					 peer);
	}
	if (!j->n_specs && j->is_none)
		return cli_usage("join: 'none' is no network, and there is no "
				 "other netdev to join");
	if (!j->n_specs)
		return cli_usage("join: name at least one netdev, for example "
				 "'user'; see vmlan join --help");
	if (j->n_on_hub && !j->has_cable && j->verbosity >= 0 &&
	    j->n_specs > j->n_on_hub)
		fprintf(stderr,
			"vmlan: warning: hub 0 with no nics: what -net names "
			"is joined to itself only; '-net nic' joins it to the "
			"rest\n");
	return 0;
}

static int parse_args(struct join *j, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value;
		int took = cli_value(argv[i], argv[i + 1], "--ready-fd",
				     &value);
		int r = 0;

		if (took < 0)
			return EXIT_USAGE;
		if (took) {
			r = parse_ready_fd(j, value);
			i += took - 1;
		} else if (strcmp(argv[i], "-v") == 0) {
			j->verbosity++;
		} else if (strcmp(argv[i], "-q") == 0) {
			j->verbosity--;
		} else if (cli_helps(argv[i], usage)) {
			j->helped = true;
		} else if ((took = parse_qemu(j, argv[i], argv[i + 1], &r))) {
			if (took < 0)
				return EXIT_USAGE;
			i += took - 1;
		} else if (argv[i][0] == '-') {
			r = cli_usage("join: unknown option '%s'; see vmlan "
				      "join --help",
				      argv[i]);
		} else {
			r = add_netdev(j, argv[i]);
		}
		if (r)
			return r;
		if (j->helped)
			return 0;
	}
	return check_all(j);
}

static int serve(struct join *j)
{
	struct error e = ERROR_NULL;
	struct cli_common common;
	struct keeper_config c = {
		.specs = j->specs,
		.n_specs = j->n_specs,
		.log = &common.log,
		.say = &common.log,
		.ready = say_ready,
		.arg = j,
		.resolv_conf = getenv("VMLAN_RESOLV_CONF"),
	};
	int r = cli_common_init(&common, j->verbosity);

	if (r)
		return r;
	c.deny = common.deny;
	c.workers = common.workers;
	/* A reader of ours that goes away is no reason to. */
	signal(SIGPIPE, SIG_IGN);
	/* What a kill left behind goes with the next command. */
	start_sweep();
	if (keeper_run(&c, &e) < 0)
		return cli_fail(&e);
	return EXIT_DONE;
}

int cmd_join(int argc, char **argv)
{
	struct join j = {.ready_fd = -1};
	int r;

	/* A word is two netdevs at most: -net's and its hubport. */
	j.specs = calloc(2 * (size_t)argc, sizeof(*j.specs));
	j.options = calloc((size_t)argc, sizeof(*j.options));
	if (!j.specs || !j.options) {
		free(j.specs);
		free(j.options);
		return cli_usage("join: out of memory");
	}
	r = parse_args(&j, argc, argv);
	if (r == 0 && !j.helped)
		r = serve(&j);
	for (unsigned i = 0; i < j.n_specs; i++)
		netdev_spec_free(j.specs[i]);
	for (unsigned i = 0; i < j.n_options; i++)
		net_option_deinit(&j.options[i]);
	free(j.specs);
	free(j.options);
	if (j.ready_fd > 2)
		fd_close(&j.ready_fd);
	return r;
}
