/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan setup bridge IF: a bridge in the place of an interface, until --undo.
 *
 * The folder /run/vmlan/setup:IF holds the journal.  While the bridge is made
 * or removed somebody holds the folder's lock; a folder that nobody holds and
 * whose journal is not to be kept was left by a kill, and the next command
 * undoes it.
 */
#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/start.h"
#include "cli/setup.h"
#include "os/rundir.h"

static const char usage[] =
	"usage: vmlan setup bridge IF [--name BRIDGE] [--dry-run]\n"
	"       vmlan setup bridge IF --undo\n"
	"Makes a bridge in the place of an interface of the host, as root: "
	"the\n"
	"bridge gets its addresses and routes, machines can be plugged in.\n"
	"Nothing of it is configuration: a reboot undoes it.\n"
	"  --name BRIDGE  the bridge's name (br0)\n"
	"  --dry-run      only say what would be done\n"
	"  --undo         give the interface back what it had\n";

struct setup {
	const char *ifname;
	const char *bridge;
	bool is_dry, is_undo, helped;
};

static int parse_word(struct setup *s, char **argv, int *ip)
{
	const char *word = argv[*ip], *value;
	int took = cli_value(word, argv[*ip + 1], "--name", &value);

	if (took < 0)
		return EXIT_USAGE;
	if (took) {
		s->bridge = value;
		*ip += took - 1;
	} else if (strcmp(word, "--dry-run") == 0) {
		s->is_dry = true;
	} else if (strcmp(word, "--undo") == 0) {
		s->is_undo = true;
	} else if (cli_is_help(word)) {
		s->helped = true;
	} else if (word[0] == '-') {
		return cli_usage("setup: unknown option '%s'; see vmlan setup "
				 "--help",
				 word);
	} else if (s->ifname) {
		return cli_usage("setup: one interface at a time, not %s and "
				 "%s",
				 s->ifname, word);
	} else {
		s->ifname = word;
	}
	return 0;
}

static int parse(struct setup *s, int argc, char **argv)
{
	if (argc >= 2 && cli_is_help(argv[1])) {
		s->helped = true;
		return 0;
	}
	if (argc < 2 || strcmp(argv[1], "bridge") != 0)
		return cli_usage("setup: say 'vmlan setup bridge IF'; see "
				 "vmlan setup --help");
	for (int i = 2; i < argc; i++) {
		int r = parse_word(s, argv, &i);

		if (r)
			return r;
	}
	if (s->helped)
		return 0;
	if (!s->ifname || !*s->ifname || strchr(s->ifname, '/'))
		return cli_usage("setup: name the interface that is to be a "
				 "port of the bridge, for example eth0");
	if (s->is_undo && (s->bridge || s->is_dry))
		return cli_usage("setup: --undo knows what was done and takes "
				 "no other option");
	if (!s->bridge)
		s->bridge = "br0";
	return 0;
}

static void folder_name(const struct setup *s, char *buf, size_t room)
{
	snprintf(buf, room, "setup:%s", s->ifname);
}

static int check_right(const struct setup *s, struct error *e)
{
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return 0;
	return error_set(e, EXIT_PERMISSION,
			 "setup: this takes root: sudo vmlan setup bridge %s%s",
			 s->ifname, s->is_undo ? " --undo" : "");
}

/* From here to the end nobody but SIGKILL stops us half-way. */
static void hold_signals(void)
{
	static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,
				      SIGPIPE, SIGQUIT, SIGTSTP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < array_len(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int open_journal(const struct rundir *d, struct journal *j,
			struct error *e)
{
	CLEANUP_FD int fd = rundir_fd(d);

	if (fd < 0)
		return error_errno(e, errno, "%s", d->path);
	return journal_open(fd, j, e);
}

/* Makes it, and takes all back if a step of it fails. */
static int make(const struct setup_bridge *b, struct rundir *d, struct error *e)
{
	struct journal j;
	int r = open_journal(d, &j, e);

	if (r == 0)
		r = setup_bridge_make(b, &j, e);
	if (r == 0)
		r = journal_keep(&j, e);
	journal_close(&j);
	if (r < 0)
		rundir_remove(d); /* which undoes it */
	else
		rundir_release(d);
	return r;
}

static void print_done(const struct setup *s)
{
	printf("done: machines can be plugged in: vmlan run --net "
	       "bridged,bridge=%s -- ...\n"
	       "  for users who are not root: echo 'allow %s' | sudo tee -a "
	       "/etc/qemu/bridge.conf\n"
	       "  to undo it: sudo vmlan setup bridge %s --undo (a reboot does "
	       "too)\n",
	       s->bridge, s->bridge, s->ifname);
}

/* Somebody took our bridge away, or is at it. */
static int was_set_up(const struct setup *s, struct error *e)
{
	*e = ERROR_NULL;
	return error_set(e, EXIT_CONFLICT,
			 "setup: a bridge was set up for %s before; to give "
			 "back what is left of that: vmlan setup bridge %s "
			 "--undo",
			 s->ifname, s->ifname);
}

static int set_up(const struct setup *s, struct error *e)
{
	struct setup_bridge b = {.ifname = s->ifname, .bridge = s->bridge};
	struct rundir d = RUNDIR_NULL;
	char name[64];
	int r = s->is_dry ? 0 : check_right(s, e);

	if (r == 0 && !s->is_dry)
		start_sweep();
	if (r == 0)
		r = setup_bridge_plan(&b, e);
	if (r == 0)
		setup_bridge_print(&b);
	if (r == 0 && !s->is_dry) {
		folder_name(s, name, sizeof(name));
		hold_signals();
		r = rundir_make_system(name, &d, e);
		if (r == -EEXIST)
			r = was_set_up(s, e);
		if (r == 0)
			r = make(&b, &d, e);
		if (r == 0)
			print_done(s);
	}
	setup_bridge_deinit(&b);
	return r;
}

static int undo(const struct setup *s, struct error *e)
{
	struct rundir d = RUNDIR_NULL;
	struct journal j = JOURNAL_NULL;
	char name[64];
	int r = check_right(s, e);

	if (r < 0)
		return r;
	folder_name(s, name, sizeof(name));
	r = rundir_open_system(name, &d, e);
	if (r == -ENOENT)
		return error_set(e, EXIT_NO_OBJECT,
				 "setup: no bridge was set up for %s",
				 s->ifname);
	if (r < 0)
		return r;
	printf("vmlan will give %s back its addresses and routes, and remove "
	       "the bridge\n",
	       s->ifname);
	fflush(stdout);
	hold_signals();
	r = open_journal(&d, &j, e);
	if (r == 0)
		r = journal_undo(&j, e);
	journal_close(&j);
	if (r < 0) {
		rundir_release(&d);
		return r;
	}
	rundir_remove(&d);
	if (e->code != EXIT_DONE) /* undone but for what it tells */
		return -EIO;
	printf("done\n");
	return 0;
}

int cmd_setup(int argc, char **argv)
{
	struct error e = ERROR_NULL;
	struct setup s = {.helped = false};
	int r = parse(&s, argc, argv);

	if (r)
		return r;
	if (s.helped) {
		fputs(usage, stdout);
		return EXIT_DONE;
	}
	r = s.is_undo ? undo(&s, &e) : set_up(&s, &e);
	if (s.is_undo)
		start_sweep();
	return r < 0 ? cli_fail(&e) : EXIT_DONE;
}
