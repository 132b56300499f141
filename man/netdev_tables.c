/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes vmlan-netdev(7) in scdoc form: copies the prose named on the
 * command line and puts the option tables where it says @OPTIONS@.  Run by
 * the build only.
 */
#include <stdio.h>
#include <string.h>

#include "grammar/kind.h"

int main(int argc, char **argv)
{
	char line[1024];
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!in) {
		fprintf(stderr, "usage: netdev_tables PROSE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		if (strcmp(line, "@OPTIONS@\n") == 0)
			netdev_help_scdoc(stdout);
		else
			fputs(line, stdout);
	}
	fclose(in);
	return fflush(stdout) == 0 ? 0 : 1;
}
