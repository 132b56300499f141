/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands: one function each, in a file of its name.  A command gets
 * its own words (argv[0] is the command's name, NULL at the end) and returns
 * the exit code; it has said what there was to say.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

struct cli_command {
	const char *name; /* NULL ends the table */
	int (*run)(int argc, char **argv);
	const char *help; /* NULL: for our own use */
};

/* All of them, in the order of the help. */
extern const struct cli_command cli_commands[];
/* NULL: there is none of that name. */
const struct cli_command *cli_command_find(const char *word);
/* What the command's --help says, the caller's; NULL: it could not be had. */
char *cli_help_text(const struct cli_command *c);

int cmd_help(int argc, char **argv);
int cmd_complete(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_nic(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_leases(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_flows(int argc, char **argv);
int cmd_macs(int argc, char **argv);
int cmd_cap(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_fwd(int argc, char **argv);
int cmd_link(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_ssh(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_setup(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_matrix(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_apply(int argc, char **argv);

/* Options that every serving command has. */
struct cli_common {
	struct log log;
	uint32_t deny; /* from VMLAN_DENY */
	unsigned workers; /* from VMLAN_WORKERS; 0: it does not say */
};

/* The log as -q and -v say, the switches from the environment. 0, or
 * EXIT_USAGE having said why. */
int cli_common_init(struct cli_common *c, int verbosity);
/* Says the error as "vmlan: error: ..." and returns its exit code. */
int cli_fail(const struct error *e);
/* As printf() of such a line, for usage mistakes; returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int cli_usage(const char *fmt, ...);
/* True if word asks for the command's help (--help, -h) .. */
bool cli_is_help(const char *word);
/* .. which is then printed. */
bool cli_helps(const char *word, const char *usage);
/* If word is "--name=value" or "--name" followed by next, gives the value
 * and tells how many words it took (1 or 2); 0 if word is another option,
 * -1 if the value is missing (said). */
int cli_value(const char *word, const char *next, const char *name,
	      const char **valuep);

#endif
