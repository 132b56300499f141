/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan nic list: the network cards a guest can have. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "grammar/nic.h"

int cmd_nic(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		nic_list(stdout);
		return EXIT_DONE;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("usage: vmlan nic list\n"
		     "Lists the network cards that run --nic takes.");
		return EXIT_DONE;
	}
	return cli_usage("nic: say 'vmlan nic list'");
}
