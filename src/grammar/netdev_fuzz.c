/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text to the netdev parser: no crash, an error is one line with the
 * code of usage, and what was accepted is accepted again as it prints.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/netdev_spec.h"
#include "grammar/user_opts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_error(const struct error *e)
{
	assert(e->code == EXIT_USAGE);
	assert(e->text[0] && !strpbrk(e->text, "\r\n"));
}

static void resolve(const struct netdev_spec *s)
{
	struct error e = ERROR_NULL;
	struct user_opts o;

	if (strcmp(spec_kind(s)->name, "user"))
		return;
	if (netdev_user_resolve(s, &o, &e) < 0) {
		judge_error(&e);
		return;
	}
	assert(prefix_has(&o.v4.net, &o.v4.gw));
	assert(prefix_has(&o.v4.net, &o.dhcp_start4));
	user_opts_deinit(&o);
}

static void accept_again(const struct netdev_spec *s)
{
	char *text = netdev_spec_format(s), *again;
	struct netdev_spec *t = NULL;
	struct error e = ERROR_NULL;

	assert(text);
	/* Commas double, so the text may be longer than the limit. */
	if (strlen(text) <= NETDEV_TEXT_MAX) {
		assert(netdev_parse(text, &t, &e) >= 0);
		again = netdev_spec_format(t);
		assert(again && !strcmp(text, again));
		free(again);
	}
	netdev_spec_free(t);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netdev_spec *s = NULL;
	const struct netdev_kind *kind;
	struct error e = ERROR_NULL;
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	(void)netdev_wants_help(text, &kind); /* any answer is fine */
	if (netdev_parse(text, &s, &e) < 0) {
		assert(!s);
		judge_error(&e);
	} else {
		accept_again(s);
		resolve(s);
		netdev_spec_free(s);
	}
	free(text);
	return 0;
}
