/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text to the parsers of dhcp-option=, reserve= and route=: no crash, an
 * error is one line with the code of usage, and what is taken keeps to the
 * bounds that the engine holds it to.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/dhcp_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_error(const struct error *e)
{
	assert(e->code == EXIT_USAGE);
	assert(e->text[0] && !strpbrk(e->text, "\r\n"));
}

static void judge_who(const struct dhcp_who *w)
{
	assert(w->kind <= DHCP_WHO_NAME && w->len <= DHCP_WHO_LEN);
	assert((w->kind == DHCP_WHO_ALL) == !w->len);
}

static void try_option(const char *text)
{
	struct error e = ERROR_NULL;
	struct dhcp_option o;

	if (dhcp_option_parse(text, &o, &e) < 0) {
		judge_error(&e);
		return;
	}
	judge_who(&o.who);
	assert(o.len <= DHCP_VALUE_MAX && o.code);
	assert(o.is_v6 || (o.code < 255 && o.code != 53 && o.code != 54));
}

static void try_reservation(const char *text)
{
	struct error e = ERROR_NULL;
	struct dhcp_reservation v;

	if (dhcp_reservation_parse(text, &v, &e) < 0) {
		judge_error(&e);
		return;
	}
	judge_who(&v.who);
	assert(v.who.kind != DHCP_WHO_ALL);
	assert(!addr_is_unspecified(&v.ip4) || !addr_is_unspecified(&v.ip6));
	assert(strlen(v.name) < sizeof(v.name));
}

static void try_route(const char *text)
{
	struct error e = ERROR_NULL;
	uint8_t buf[16];
	struct wr w = wr_init(buf, sizeof(buf));
	bool is_all;

	if (dhcp_route_parse(text, &w, &is_all, &e) < 0)
		judge_error(&e);
	else
		assert(wr_ok(&w) && wr_len(&w) >= 5 && buf[0] <= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	try_option(text);
	try_reservation(text);
	try_route(text);
	free(text);
	return 0;
}
