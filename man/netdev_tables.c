/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes vmlan-netdev(7) in scdoc form: copies the prose named on the
 * command line and puts the option tables where it says @OPTIONS@, and what is
 * done with each of QEMU's where it says @QEMU@.  Run by the build only.
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
		else if (strcmp(line, "@QEMU@\n") == 0)
			netdev_does_scdoc(stdout);
		else
			fputs(line, stdout);
	}
	fclose(in);
	return fflush(stdout) == 0 ? 0 : 1;
}
