/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan doctor: for each mode and each way to it, what this host lacks, and
 * the command that mends it.  What the host can is asked by os/probe.h; that a
 * NAT starts is tried here.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/start.h"
#include "grammar/kind.h"
#include "grammar/netdev_spec.h"
#include "keeper/keeper.h"
#include "mode/mode.h"
#include "os/bridge_acl.h"
#include "os/probe.h"
#include "os/rundir.h"

#define P(name) (1u << PROBE_##name)

enum {
	/* One more question, which is asked here: a LAN with a NAT starts. */
	PROBE_START = N_PROBES,
	N_QUESTIONS,
};

#define START (1u << PROBE_START)

struct way {
	const char *mode;
	const char *way;
	unsigned needs;     /* set of 1 << enum probe */
	unsigned wants;     /* without these it does less */
	const char *option; /* what a mode is asked for it; NULL = nothing */
};

#define USER_NEEDS (P(RUNDIR) | START)
#define USER_WANTS (P(PING) | P(NOFILE) | P(USERNS))

/* As the modes' recipes take them. */
static const struct way ways[] = {
	{"none", "no cable", 0, 0, NULL},
	{"nat", "user", USER_NEEDS, USER_WANTS, NULL},
	{"natnet", "user", USER_NEEDS, USER_WANTS, NULL},
	{"natnet", "backend=kernel",
	 P(RUNDIR) | P(ROOT) | P(TUN) | P(BRIDGE) | P(NFT) | P(FORWARD),
	 P(FIREWALL), "backend=kernel"},
	{"bridged", "bridge=, as root", P(RUNDIR) | P(ROOT) | P(TUN) | P(PLACE),
	 0, "bridge=br0"},
	{"bridged", "bridge=, by QEMU's helper",
	 P(RUNDIR) | P(TUN) | P(PLACE) | P(HELPER) | P(ACL), 0, "bridge=br0"},
	{"bridged", "if=, by macvtap", P(RUNDIR) | P(ROOT) | P(MACVTAP), 0,
	 "if=eth0"},
	{"bridged", "if=, by packet socket", P(RUNDIR) | P(RAW), 0, "if=eth0"},
	{"bridged", "if=, reached by the host",
	 P(RUNDIR) | P(ROOT) | P(TUN) | P(RAW), 0, "if=eth0"},
	{"hostonly", "a host interface", P(RUNDIR) | P(ROOT) | P(TUN), 0, NULL},
	{"hostonly", "without the host", USER_NEEDS, P(USERNS), NULL},
	{"hostonly", "vmlan exec", P(RUNDIR) | START | P(NETNS) | P(TUN), 0,
	 NULL},
	{"internal", "no way out", USER_NEEDS, P(USERNS), NULL},
	{"generic", "sockets", USER_NEEDS, P(USERNS), NULL},
	{"generic", "tap", P(RUNDIR) | P(ROOT) | P(TUN), 0, NULL},
	{"generic", "netns", P(RUNDIR) | P(NETNS) | P(TUN), 0, NULL},
};

static const char usage[] =
	"usage: vmlan doctor [--json]\n"
	"Tries what each mode takes, and says what this host lacks and which\n"
	"command mends it. Nothing is changed. Exit status 0 if nat works.\n";

static const char *name_of(int probe)
{
	return probe == PROBE_START ? "start" : probe_names[probe];
}

/* ---- a NAT that starts ---- */

static pid_t end_it(void *arg)
{
	*(bool *)arg = true;
	(void)raise(SIGTERM);
	return 0;
}

static void start_nat(struct error *e)
{
	struct netdev_spec *spec = NULL;
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	bool was_ready = false;
	struct keeper_config c = {
		.specs = &spec,
		.n_specs = 1,
		.log = &log,
		.say = &log,
		.ready = end_it,
		.arg = &was_ready,
		.resolv_conf = getenv("VMLAN_RESOLV_CONF"),
	};

	log.fd = -1;
	if (netdev_parse("user", &spec, e) == 0 && keeper_run(&c, e) == 0 &&
	    !was_ready)
		error_set(e, EXIT_FAILED, "it ended before it was ready");
	netdev_spec_free(spec);
}

/* In a child, which may do with signals and limits what a keeper does. */
static void probe_start(struct finding *f)
{
	int fd[2];
	pid_t pid;
	ssize_t n = 0;
	char text[sizeof(f->what)];

	if (pipe(fd) < 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct error e = ERROR_NULL;

		close(fd[0]);
		signal(SIGPIPE, SIG_IGN);
		start_nat(&e);
		if (e.code != EXIT_DONE)
			(void)!write(fd[1], e.text, strlen(e.text));
		_exit(e.code);
	}
	close(fd[1]);
	if (pid > 0) {
		n = read(fd[0], text, sizeof(text) - 1);
		waitpid(pid, NULL, 0);
	}
	close(fd[0]);
	if (n <= 0 && pid > 0)
		return;
	f->state = PROBE_NO;
	snprintf(f->what, sizeof(f->what), "a NAT does not start: %.*s",
		 n > 0 ? (int)n : 0, text);
	snprintf(f->fix, sizeof(f->fix), "vmlan join -v user");
}

/* ---- judging ---- */

static unsigned missing_of(unsigned set, const struct finding *v)
{
	unsigned missing = 0;

	for (int i = 0; i < N_QUESTIONS; i++) {
		if (set & 1u << i && v[i].state == PROBE_NO)
			missing |= 1u << i;
	}
	return missing;
}

/* Whether this vmlan goes that way at all: its mode tells. */
static bool is_built(const struct way *w)
{
	const struct mode *mode = mode_find(w->mode);
	const struct mode_host host = {.may_make_links = true};
	struct error e = ERROR_NULL;
	struct mode_netdevs n;
	struct mode_spec s = {.mode = mode};

	if (!mode || !mode->expand)
		return false;
	if (!w->option)
		return true;
	if (mode_begin(w->mode, "doctor", &s, &e) == 0 &&
	    mode_option(&s, w->option, &e) == 0 &&
	    mode_expand(&s, &host, &n, &e) == 0)
		mode_netdevs_deinit(&n);
	mode_spec_deinit(&s);
	return e.code == EXIT_DONE;
}

/* What at least one way would like to have, and has not. */
static bool is_of_use(int probe, const struct finding *v)
{
	for (size_t i = 0; i < array_len(ways); i++) {
		if ((ways[i].needs | ways[i].wants) & 1u << probe &&
		    v[probe].state != PROBE_YES && is_built(&ways[i]))
			return true;
	}
	return false;
}

static bool nat_works(const struct finding *v)
{
	for (size_t i = 0; i < array_len(ways); i++) {
		if (strcmp(ways[i].mode, "nat") == 0)
			return !missing_of(ways[i].needs, v);
	}
	return false;
}

/* ---- saying it ---- */

static void print_set(const char *word, unsigned set)
{
	const char *gap = " ";

	if (!set)
		return;
	printf("%s", word);
	for (int i = 0; i < N_QUESTIONS; i++) {
		if (!(set & 1u << i))
			continue;
		printf("%s%s", gap, name_of(i));
		gap = ", ";
	}
}

/* Of the ways to one mode, only the first names it. */
static bool is_first(const struct way *w)
{
	return w == ways || strcmp(w->mode, w[-1].mode) != 0;
}

static void print_text(const struct finding *v)
{
	for (size_t i = 0; i < array_len(ways); i++) {
		const struct way *w = &ways[i];
		unsigned missing = missing_of(w->needs, v);

		printf("%-9s %-26s ", is_first(w) ? w->mode : "", w->way);
		if (!is_built(w)) {
			printf("not built yet\n");
			continue;
		}
		printf("%s", missing ? "no" : "ok");
		print_set(", missing:", missing);
		if (!missing)
			print_set(", but without:", missing_of(w->wants, v));
		printf("\n");
	}
	printf("\n");
	for (int i = 0; i < N_QUESTIONS; i++) {
		if (!is_of_use(i, v))
			continue;
		printf("%-11s %s\n", name_of(i), v[i].what);
		if (v[i].fix[0])
			printf("%-11s $ %s\n", "", v[i].fix);
	}
}

static json_t *json_set(unsigned set)
{
	json_t *a = json_array();

	for (int i = 0; i < N_QUESTIONS; i++) {
		if (set & 1u << i)
			json_array_append_new(a, json_string(name_of(i)));
	}
	return a;
}

static json_t *json_modes(const struct finding *v)
{
	json_t *all = json_array(), *list = NULL;

	for (size_t i = 0; i < array_len(ways); i++) {
		const struct way *w = &ways[i];
		unsigned missing = missing_of(w->needs, v);
		bool built = is_built(w);

		if (is_first(w)) {
			list = json_array();
			json_array_append_new(all,
					      json_pack("{s:s, s:o}", "mode",
							w->mode, "ways", list));
		}
		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b, s:o, s:o}", "way", w->way,
				  "built", built, "ok", built && !missing,
				  "missing", json_set(missing), "without",
				  json_set(missing_of(w->wants, v))));
	}
	return all;
}

/* true, false, or null where it could not be tried. */
static json_t *json_state(enum probe_state s)
{
	switch (s) {
	case PROBE_YES:
		return json_true();
	case PROBE_NO:
		return json_false();
	case PROBE_UNKNOWN:
		break;
	}
	return json_null();
}

static void print_json(const struct finding *v)
{
	json_t *probes = json_array(), *all;

	for (int i = 0; i < N_QUESTIONS; i++)
		json_array_append_new(probes,
				      json_pack("{s:s, s:o, s:s, s:s}", "name",
						name_of(i), "ok",
						json_state(v[i].state), "what",
						v[i].what, "fix", v[i].fix));
	all = json_pack("{s:b, s:o, s:o}", "ok", nat_works(v), "modes",
			json_modes(v), "probes", probes);
	json_dumpf(all, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(all);
}

int cmd_doctor(int argc, char **argv)
{
	struct finding v[N_QUESTIONS] = {{.state = PROBE_YES}};
	const struct netdev_option *helper =
		netdev_option_find(netdev_kind_find("bridge"), "helper");
	const struct probe_opts o = {
		.helper = helper->deflt,
		.acl = BRIDGE_ACL_FILE,
	};
	bool is_json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			is_json = true;
		} else if (cli_helps(argv[i], usage)) {
			return EXIT_DONE;
		} else {
			return cli_usage("doctor: unknown word '%s'; see vmlan "
					 "doctor --help",
					 argv[i]);
		}
	}
	start_sweep(); /* what a kill left is no fault of the host */
	probe_all(&o, v);
	probe_start(&v[PROBE_START]);
	if (is_json)
		print_json(v);
	else
		print_text(v);
	return nat_works(v) ? EXIT_DONE : EXIT_FAILED;
}
