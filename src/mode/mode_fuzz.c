/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text as a mode: no crash, an error is one line with the code of usage
 * or conflict, and what comes of a good one are netdevs that parse.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/netdev_spec.h"
#include "mode/mode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_error(const struct error *e)
{
	assert(e->code == EXIT_USAGE || e->code == EXIT_CONFLICT ||
	       e->code == EXIT_PERMISSION);
	assert(e->text[0] && !strpbrk(e->text, "\r\n"));
}

static void expand(const struct mode_spec *s)
{
	const struct prefix route = {.ip = addr_v4(10, 0, 0, 0),
				     .len = 96 + 16};
	const struct mode_host h = {.routes = &route,
				    .n_routes = 1,
				    .may_make_links = s->name[0] == 'r'};
	struct error e = ERROR_NULL;
	struct mode_netdevs n;

	if (mode_expand(s, &h, &n, &e) < 0)
		judge_error(&e);
	for (unsigned i = 0; i < n.n; i++) {
		struct netdev_spec *spec = NULL;

		assert(netdev_parse(n.text[i], &spec, NULL) == 0);
		netdev_spec_free(spec);
	}
	mode_netdevs_deinit(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_NULL;
	char *text = malloc(size + 1);
	struct mode_spec s;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (mode_parse(text, &s, &e) == 0)
		expand(&s);
	else
		judge_error(&e);
	mode_spec_deinit(&s);
	free(text);
	return 0;
}
