/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan run: wraps a VMM.  Starts or joins its networks, each served by a
 * keeper of its own, adds the cards to the VMM's command line, and is then only
 * the VMM's parent: terminal, signals and exit status pass through.
 *
 *      vmlan run ---- forks ----> keeper (detached) ---- forks ----> engine
 *          |                         ^ pidfd of the VMM                |
 *          +-- forks ----> VMM ------+--------- unix stream -----------+
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/qemu.h"
#include "cli/run.h"
#include "control/request.h"
#include "grammar/netdev_spec.h"
#include "grammar/nic.h"
#include "grammar/port_spec.h"

static const char usage[] =
	"usage: vmlan run [options] -- VMM ARGS...\n"
	"Starts a virtual machine with its network attached, for example\n"
	"  vmlan run -p 2222:22 -- qemu-system-x86_64 -m 1G disk.img\n"
	"  --name NAME      the machine's name (default: QEMU's -name, else\n"
	"                   the disk's)\n"
	"  --net MODE[:NAME][,KEY=VALUE]...\n"
	"                   the network: nat (the default), natnet:NAME,\n"
	"                   bridged[:NAME],bridge=BRIDGE (or if=CARD),\n"
	"                   hostonly:NAME, internal:NAME,\n"
	"                   generic[:NAME],netdev=NETDEV, none; again for\n"
	"                   each further card; vmlan up --help has all keys\n"
	"  -p, --publish SPEC\n"
	"                   forward host ports: 2222:22, "
	"127.0.0.1:8080:80/udp,\n"
	"                   22-80:32-90, tcp::2222-:22; on 127.0.0.1 unless\n"
	"                   an address is given; repeatable\n"
	"  --pxe DIR        boot from the network, with the files of this\n"
	"                   folder (the network's tftp=)\n"
	"  --nic MODEL[,mac=MAC][,queues=N]\n"
	"                   the network card (vmlan nic list); again for that\n"
	"                   of the next --net\n"
	"  -nic NETDEV[,model=MODEL][,mac=MAC]\n"
	"                   as QEMU: card and netdev in one, or none\n"
	"  --cloud          a cloud image starts by itself: your SSH keys are\n"
	"                   let in, and it is called as the machine\n"
	"  --user-data FILE what its cloud-init is told instead\n"
	"  --meta-data FILE with either: who the machine is, instead of its "
	"name\n"
	"  -net nic|NETDEV  as QEMU: the card, a netdev on hub 0\n"
	"  -v, -q           say more, say only warnings\n"
	"A VMM that is not QEMU gets the path of its socket (QEMU's stream\n"
	"protocol) where its arguments say {socket}; the second's is\n"
	"{socket2}.\n"
	"The VMM's exit status is passed on; 125 is a failure of vmlan.\n";

/* --net, each one a card. */
static int set_net(struct run *r, const char *text)
{
	struct run_nic *nic = &r->nics[r->n_modes];
	struct error e = ERROR_NULL;

	if (r->n_modes == RUN_NICS_MAX)
		return cli_usage("run: more than %d --net", RUN_NICS_MAX);
	if (mode_parse(text, &nic->mode, &e) < 0) {
		error_prefix(&e, "run: --net ");
		return cli_fail(&e);
	}
	r->n_modes++;
	return 0;
}

/* True if an earlier -p has a port of this rule. */
static bool is_forwarded(const struct run *r, const struct port_rule *rule)
{
	for (unsigned i = 0; i < r->n_rules; i++) {
		if (port_rule_overlaps(rule, &r->rules[i]))
			return true;
	}
	return false;
}

static int add_ports(struct run *r, const char *text)
{
	struct error e = ERROR_NULL;
	unsigned n = 0;

	if (port_spec_parse(text, r->rules + r->n_rules,
			    RUN_RULES_MAX - r->n_rules, &n, &e) < 0)
		return cli_fail(&e);
	for (unsigned i = 0; i < n; i++) {
		struct port_rule *rule = &r->rules[r->n_rules];

		if (!rule->has_host_ip && !rule->unix_path[0])
			port_rule_localhost(rule);
		if (is_forwarded(r, rule))
			return cli_usage("run: -p %s: a host port of it is "
					 "forwarded already; name each once",
					 text);
		r->n_rules++;
	}
	return 0;
}

static int set_pxe(struct run *r, const char *dir)
{
	if (r->pxe)
		return cli_usage("run: --pxe is given twice");
	if (!*dir)
		return cli_usage("run: --pxe needs a folder");
	r->pxe = dir;
	return 0;
}

static int set_name(struct run *r, const char *name)
{
	if (!control_name_ok(name))
		return cli_usage("run: --name '%s': a name has letters, "
				 "digits, '-', '.' and '_', begins with a "
				 "letter or digit and has at most %zu of them",
				 name, sizeof(r->name) - 1);
	snprintf(r->name, sizeof(r->name), "%s", name);
	return 0;
}

static int second_nic(void)
{
	return cli_usage("run: -nic and -net make one card; for several give "
			 "--net and --nic several times");
}

/* The card that a -nic or -net names, if it does. */
static int take_card(struct run *r, const struct net_option *o)
{
	if (!o->has_model && !o->nic.has_mac && o->what != NET_OPTION_CARD)
		return 0;
	if (r->n_cards)
		return second_nic();
	r->n_cards++;
	r->nics[0].card = o->nic;
	if (!o->has_model)
		r->nics[0].card.model = NULL;
	return 0;
}

/* A -nic or -net, parsed into the next place. */
static int take_net(struct run *r, bool is_net)
{
	const struct net_option *o = &r->nets[r->n_nets++];
	bool is_first = r->n_nets == 1;

	if (o->what == NET_OPTION_NONE) {
		r->is_none = true;
		r->n_nets--; /* it holds nothing */
		return 0;
	}
	if (o->peer[0])
		return cli_usage("run: netdev '%s' not found (-net nic); run "
				 "knows those of -nic and -net, which have "
				 "their places",
				 o->peer);
	if (!is_first && is_net != r->on_hub)
		return second_nic();
	if (!is_first && !is_net)
		return second_nic();
	r->on_hub = is_net;
	return take_card(r, o);
}

static int set_qemu(struct run *r, const char *text, bool is_net)
{
	struct error e = ERROR_NULL;
	struct net_option *o = &r->nets[r->n_nets];
	int rc;

	if (r->n_nets == RUN_NETS_MAX)
		return cli_usage("run: more than %d -net and -nic",
				 RUN_NETS_MAX);
	rc = is_net ? net_option_net(text, r->n_nets, o, &e)
		    : net_option_nic(text, o, &e);
	return rc < 0 ? cli_fail(&e) : take_net(r, is_net);
}

static int set_qemu_net(struct run *r, const char *text)
{
	return set_qemu(r, text, true);
}

static int set_qemu_nic(struct run *r, const char *text)
{
	return set_qemu(r, text, false);
}

/* Ours, or, as the text tells, QEMU's with two dashes. */
static int set_nic(struct run *r, const char *text)
{
	struct error e = ERROR_NULL;

	if (net_option_is_nic(text))
		return set_qemu_nic(r, text);
	if (r->n_cards == RUN_NICS_MAX)
		return cli_usage("run: more than %d --nic", RUN_NICS_MAX);
	if (nic_parse(text, &r->nics[r->n_cards].card, &e) < 0)
		return cli_fail(&e);
	r->n_cards++;
	return 0;
}

/* --net none is no network, and says so alone. */
static int check_none(struct run *r)
{
	for (unsigned i = 0; i < r->n_modes; i++) {
		if (r->nics[i].mode.mode->owner == MODE_NOBODYS)
			r->is_none = true;
		else if (r->is_none)
			return cli_usage("run: --net %s and 'none'; leave one "
					 "out",
					 r->nics[i].mode.mode->word);
	}
	if (!r->is_none || r->n_nets)
		return 0;
	if (r->n_cards)
		return cli_usage("run: --net none has no card (--nic)");
	if (r->n_modes > 1)
		return cli_usage("run: --net none and another --net; leave one "
				 "out");
	if (r->n_rules)
		return cli_usage("run: --net none has no ports to forward "
				 "(-p)");
	return 0;
}

/* What -net and -nic together say. */
static int check_nets(struct run *r)
{
	bool has_user = false;

	if (!r->n_nets)
		return 0;
	if (r->n_modes)
		return cli_usage("run: --net %s and -nic or -net both say what "
				 "the network is; leave one out",
				 r->nics[0].mode.mode->word);
	for (unsigned i = 0; i < r->n_nets; i++)
		has_user |= run_net_is(&r->nets[i], "user");
	if (r->n_rules && !has_user)
		return cli_usage("run: -p forwards ports by the netdev user, "
				 "which -nic and -net do not name");
	return 0;
}

/* --pxe is tftp= of the first network that can have one. */
static int add_pxe(struct run *r)
{
	CLEANUP_FREE char *option = NULL;
	struct error e = ERROR_NULL;
	struct run_nic *nic = NULL;

	if (r->n_nets)
		return cli_usage("run: --pxe is for --net; with -nic and -net "
				 "it is their user,tftp=%s",
				 r->pxe);
	for (unsigned i = 0; i < r->n_nics && !nic; i++) {
		if (mode_knows(r->nics[i].mode.mode, "tftp"))
			nic = &r->nics[i];
	}
	if (!nic)
		return cli_usage("run: --pxe boots by a network with a server "
				 "of vmlan's, and no --net is nat, natnet, "
				 "hostonly or internal");
	if (asprintf(&option, "tftp=%s", r->pxe) < 0)
		return cli_usage("run: out of memory");
	r->pxe_nic = nic;
	if (mode_option(&nic->mode, option, &e) < 0) {
		error_prefix(&e, "run: --pxe: ");
		return cli_fail(&e);
	}
	return 0;
}

/* How many cards there are: those of --net, one by -nic and -net, or, nothing
 * being said, one with a NAT. */
static int count_nics(struct run *r)
{
	struct error e = ERROR_NULL;
	bool has_gateway = r->n_nets > 0;

	if (r->is_none && !r->n_nets)
		return r->pxe ? cli_usage("run: --pxe boots from a network, "
					  "and there is none")
			      : 0;
	r->n_nics = r->n_modes ? r->n_modes : 1;
	if (!r->n_modes && !r->n_nets) {
		if (mode_begin("nat", "", &r->nics[0].mode, &e) < 0)
			return cli_fail(&e);
	}
	if (r->n_cards > r->n_nics)
		return cli_usage("run: there are more --nic than --net; each "
				 "card is on a network");
	for (unsigned i = 0; i < r->n_nics; i++)
		has_gateway |= mode_has_gateway(r->nics[i].mode.mode);
	if (r->n_rules && !has_gateway)
		return cli_usage("run: -p forwards ports by a NAT, and no "
				 "--net is nat or natnet");
	return r->pxe ? add_pxe(r) : 0;
}

/* One option at argv[i]; *tookp words belong to it. */
static int parse_option(struct run *r, char **argv, int i, int *tookp)
{
	static const struct {
		const char *name;
		int (*set)(struct run *r, const char *value);
	} options[] = {
		{"--name", set_name}, {"--net", set_net},    {"-p", add_ports},
		{"--publish", add_ports}, {"--nic", set_nic},
		{"-net", set_qemu_net},   {"-nic", set_qemu_nic},
		{"--user-data", run_cloud_user_data},
		{"--meta-data", run_cloud_meta_data},
		{"--pxe", set_pxe},
	};

	for (size_t k = 0; k < array_len(options); k++) {
		const char *value;
		int took = cli_value(argv[i], argv[i + 1], options[k].name,
				     &value);

		if (took < 0)
			return EXIT_USAGE;
		if (!took)
			continue;
		*tookp = took;
		return options[k].set(r, value);
	}
	*tookp = 1;
	if (strcmp(argv[i], "-v") == 0)
		r->verbosity++;
	else if (strcmp(argv[i], "-q") == 0)
		r->verbosity--;
	else if (strcmp(argv[i], "--cloud") == 0)
		r->cloud.is_on = r->cloud.is_made = true;
	else
		return cli_usage("run: unknown option '%s'; the VMM's own "
				 "options come after --",
				 argv[i]);
	return 0;
}

static int parse_args(struct run *r, int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0) {
		int took = 1;
		int rc;

		if (cli_helps(argv[i], usage)) {
			r->helped = true;
			return 0;
		}
		rc = parse_option(r, argv, i, &took);
		if (rc)
			return rc;
		i += took;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc)
		return cli_usage("run: name the VMM to start after --, for "
				 "example: vmlan run -- qemu-system-x86_64 "
				 "disk.img");
	r->vmm = argv + i;
	r->n_vmm = argc - i;
	return 0;
}

static int check_own_network(const struct run *r)
{
	if (!r->qemu.network_opt)
		return 0;
	if (r->n_rules || r->n_cards || r->n_modes || r->n_nets || r->is_none ||
	    r->cloud.is_on || r->pxe)
		return cli_usage("run: the VMM's command line has a network of "
				 "its own (%s); leave that out, or leave out "
				 "run's -p, -nic, -net, --nic, --net, --pxe "
				 "and what is for cloud-init",
				 r->qemu.network_opt);
	if (r->verbosity >= 0)
		fprintf(stderr,
			"vmlan: the command line brings its own network (%s); "
			"it is left alone and vmlan adds nothing\n",
			r->qemu.network_opt);
	return 0;
}

int run_machine(struct run *r)
{
	char **args = NULL;
	int rc;

	rc = cli_common_init(&r->common, r->verbosity);
	if (rc == 0)
		rc = check_own_network(r);
	if (rc)
		return rc;
	if (r->qemu.network_opt)
		r->n_nics = 0;
	start_sweep();
	if (r->n_nics)
		rc = run_choose_links(r);
	if (rc == 0)
		rc = run_cloud_check(r);
	if (rc == 0)
		rc = run_nets_start(r);
	if (rc == 0)
		rc = run_cloud_put(r);
	if (rc == 0)
		args = run_args_make(r, &rc);
	if (args)
		rc = run_vmm(r, args);
	run_nets_end(r);
	run_args_free(args);
	return rc;
}

static void run_init(struct run *r)
{
	for (unsigned i = 0; i < RUN_NICS_MAX; i++) {
		r->nics[i].start.life_fd = -1;
		r->nics[i].start.dir = RUNDIR_NULL;
	}
}

static void run_deinit(struct run *r)
{
	for (unsigned i = 0; i < r->n_nets; i++)
		net_option_deinit(&r->nets[i]);
	for (unsigned i = 0; i < RUN_NICS_MAX; i++)
		mode_spec_deinit(&r->nics[i].mode);
	run_cloud_deinit(r);
}

int cmd_run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return cli_usage("run: out of memory");
	run_init(r);
	rc = parse_args(r, argc, argv);
	if (rc == 0 && !r->helped)
		rc = check_none(r);
	if (rc == 0 && !r->helped)
		rc = check_nets(r);
	if (rc == 0 && !r->helped)
		rc = count_nics(r);
	if (rc == 0 && !r->helped) {
		qemu_cmd_parse(r->vmm, &r->qemu);
		rc = run_machine(r);
	}
	run_deinit(r);
	free(r);
	return rc;
}
