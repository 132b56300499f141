/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text to the parser of -p: no crash, an error is one line with the code
 * of usage, rules are within bounds and read again as they print.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/port_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX_RULES = 16,
};

static void judge_rule(const struct port_rule *r)
{
	char text[PORT_RULE_STRLEN];
	struct error e = ERROR_NULL;
	struct port_rule again;
	unsigned n;

	assert(r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP);
	assert(r->host_lo <= r->host_hi && r->guest_lo >= 1);
	assert(r->guest_lo + (r->host_hi - r->host_lo) <= UINT16_MAX);
	port_rule_format(r, text);
	assert(port_spec_parse(text, &again, 1, &n, &e) == 0 && n == 1);
	assert(again.proto == r->proto && again.host_lo == r->host_lo);
	assert(again.host_hi == r->host_hi && again.guest_lo == r->guest_lo);
	assert(addr_eq(&again.host_ip, &r->host_ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_rule rules[MAX_RULES];
	struct error e = ERROR_NULL;
	char *text = malloc(size + 1);
	unsigned n = 0;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (port_spec_parse(text, rules, MAX_RULES, &n, &e) < 0) {
		assert(e.code == EXIT_USAGE);
		assert(e.text[0] && !strpbrk(e.text, "\r\n"));
	} else {
		assert(n >= 1 && n <= MAX_RULES);
		for (unsigned i = 0; i < n; i++)
			judge_rule(&rules[i]);
	}
	free(text);
	return 0;
}
