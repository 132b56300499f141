/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan nic list: the network cards a guest can have. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "grammar/nic.h"

static const char usage[] =
	"usage: vmlan nic list [--json]\n"
	"Lists the network cards that run --nic takes.\n"
	"  --json           as a JSON array\n";

/* "virtio virtio-net" */
static json_t *words(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		size_t n = strcspn(text, " ");

		json_array_append_new(list, json_stringn(text, n));
		text += n + strspn(text + n, " ");
	}
	return list;
}

static void print_json(void)
{
	json_t *list = json_array();

	for (const struct nic_model *m = nic_models; m->name; m++)
		json_array_append_new(
			list, json_pack("{s:s,s:o,s:s,s:s}", "model", m->name,
					"also", words(m->aliases), "device",
					m->device, "about", m->help));
	ctl_print(list);
	json_decref(list);
}

int cmd_nic(int argc, char **argv)
{
	bool is_json = false, lists = false;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (strcmp(argv[i], "list") == 0 && !lists)
			lists = true;
		else
			return cli_usage("nic: unknown word '%s'; say 'vmlan "
					 "nic list'",
					 argv[i]);
	}
	if (!lists)
		return cli_usage("nic: say 'vmlan nic list'");
	if (is_json)
		print_json();
	else
		nic_list(stdout);
	return EXIT_DONE;
}
