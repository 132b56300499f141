/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a manual page in scdoc form: copies the prose named on the command
 * line, and puts tables where it has a line of a table's name: @OPTIONS@ of
 * netdevs, @QEMU@ what is done with each of QEMU's, @REQUESTS@ and @EVENTS@ of
 * the control socket.  Run by the build only.
 */
#include <stdio.h>
#include <string.h>

#include "control/events.h"
#include "grammar/kind.h"

static const struct {
	const char *line;
	void (*put)(FILE *out);
} tables[] = {
	{"@OPTIONS@\n", netdev_help_scdoc},
	{"@QEMU@\n", netdev_does_scdoc},
	{"@REQUESTS@\n", schema_requests_scdoc},
	{"@EVENTS@\n", event_rows_scdoc},
};

/* False: the line is prose. */
static bool put_table(const char *line)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (strcmp(line, tables[i].line) != 0)
			continue;
		tables[i].put(stdout);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!in) {
		fprintf(stderr, "usage: tables PROSE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		if (!put_table(line))
			fputs(line, stdout);
	}
	fclose(in);
	return fflush(stdout) == 0 ? 0 : 1;
}
