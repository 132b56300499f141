/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load: makes the traffic of the measurements, see load.h.  Every
 * command prints one line of JSON; 0 means that all went well, 1 that it did
 * not (one line on standard error says what), 2 a wrong command line.
 */
#include "bench/load.h"

#include <signal.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(struct args *a);
	const char *help;
} commands[] = {
	{"serve", load_serve, "[addr=::] [port=7000] [cc=cubic] [gro=on]"},
	{"tcp", load_tcp,
	 "HOST dir=up|down [flows=1] [secs=2] [warm=0.5] [drain=5]"},
	{"rr", load_rr,
	 "HOST [proto=tcp|udp] [size=1] [secs=2] [conns=1] [idle=0]"},
	{"crr", load_crr, "HOST [secs=2]"},
	{"udp", load_udp,
	 "HOST dir=up|down [size=1400] [secs=2] [pps=0] [gso=on] [gro=on]"},
	{"open", load_open, "HOST [n=10000] [at_once=256]"},
};

static int help(void)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stderr, "bench-load %s %s\n", commands[i].name,
			commands[i].help);
	fprintf(stderr, "every client: [port=7000] [bind=ADDRESS] [cc=cubic]"
			" [timeout=5] [pids=PID,...]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct args args;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (argc < 2 || strcmp(argv[1], commands[i].name))
			continue;
		args_init(&args, argc - 2, argv + 2);
		return commands[i].run(&args);
	}
	return help();
}
