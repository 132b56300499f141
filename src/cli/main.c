/* SPDX-License-Identifier: BSD-3-Clause */
/* The command: looks the word up in the table of commands and runs it. */
#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("vmlan " VMLAN_VERSION "\n");
	return 0;
}
