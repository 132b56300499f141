/* SPDX-License-Identifier: BSD-3-Clause */
/* The command: looks the word up in the table of commands and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"

const struct cli_command cli_commands[] = {
	{"run", cmd_run, "start a VMM with its network attached"},
	{"join", cmd_join, "join netdevs into one LAN, in the foreground"},
	{"up", cmd_up, "start a network and keep it"},
	{"down", cmd_down, "keep a network no longer"},
	{"ls", cmd_ls, "list the networks that run"},
	{"show", cmd_show, "tell about one network"},
	{"leases", cmd_leases, "list the addresses that machines got"},
	{"link", cmd_link, "pull a machine's cable, or spoil it"},
	{"stats", cmd_stats, "what was lost on one network, and why"},
	{"top", cmd_top, "a live screen: rates, talkers, what is lost"},
	{"flows", cmd_flows, "the connections of machines, with their bytes"},
	{"macs", cmd_macs, "which MAC address is behind which port"},
	{"cap", cmd_cap, "capture frames, as pcapng, into Wireshark"},
	{"events", cmd_events, "what happens on one network, as it does"},
	{"fwd", cmd_fwd, "forward ports of a network that runs"},
	{"check", cmd_check, "what is wrong with configuration files"},
	{"apply", cmd_apply, "make what runs as the files have it"},
	{"why", cmd_why, "who reaches whom, and what decides it"},
	{"exec", cmd_exec, "a program as one more machine of a network"},
	{"ssh", cmd_ssh, "ssh to a machine, without a forwarded port"},
	{"connect", cmd_connect, NULL},
	{"complete", cmd_complete, NULL},
	{"setup", cmd_setup, "a bridge in the place of an interface"},
	{"doctor", cmd_doctor, "what this host lacks, and what mends it"},
	{"matrix", cmd_matrix, "who sees whom in each mode, by traffic"},
	{"nic", cmd_nic, "list the network cards a guest can have"},
	{NULL, NULL, NULL},
};

const struct cli_command *cli_command_find(const char *word)
{
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		if (strcmp(word, c->name) == 0)
			return c;
	}
	return NULL;
}

static void help(FILE *out)
{
	fputs("usage: vmlan COMMAND ...\n"
	      "The network of virtual machines.\n\n",
	      out);
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		if (c->help)
			fprintf(out, "  %-6s %s\n", c->name, c->help);
	}
	fputs("\nvmlan COMMAND --help tells about one, vmlan help COMMAND "
	      "shows its\npage; vmlan --version.\n"
	      "Manual: vmlan(1), vmlan-netdev(7), vmlan-control(7).\n",
	      out);
}

/* What a careless parent left us.  A closed standard descriptor would become
 * one of our sockets and get log lines; where SIGCHLD is ignored, nobody hears
 * of a child's end. */
static void fresh_start(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	fd_close(&fd);
	signal(SIGCHLD, SIG_DFL);
}

/* What was said has to arrive, but where nobody wants to know. */
static int say_all(int code)
{
	bool is_flushed = fflush(stdout) == 0;

	if (is_flushed ? !ferror(stdout) : errno == EPIPE)
		return code;
	fprintf(stderr, "vmlan: standard output: %s\n",
		is_flushed ? "not all could be written" : strerror(errno));
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static int command(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	const struct cli_command *c;

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    (strcmp(word, "help") == 0 && argc == 2)) {
		help(stdout);
		return EXIT_DONE;
	}
	if (strcmp(word, "help") == 0)
		return cmd_help(argc - 1, argv + 1);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("vmlan " VMLAN_VERSION);
		return EXIT_DONE;
	}
	c = cli_command_find(word);
	if (c)
		return c->run(argc - 1, argv + 1);
	if (!*word)
		return cli_usage("name a command, such as run; see vmlan "
				 "--help");
	return cli_usage("unknown command '%s'; see vmlan --help", word);
}

int main(int argc, char **argv)
{
	fresh_start();
	return say_all(command(argc, argv));
}
