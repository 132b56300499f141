/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text to the parser of hostfwd=: no crash, an error is one line with the
 * code of usage, a rule is of one port and reads again as it prints.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/port_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_rule(const struct port_rule *r)
{
	char text[PORT_RULE_STRLEN], printed[PORT_RULE_STRLEN];
	struct port_rule again;

	assert(r->host_lo == r->host_hi && r->guest_lo >= 1);
	assert(!r->unix_path[0] || r->unix_path[0] == '/');
	port_rule_format(r, text);
	assert(hostfwd_parse(text, &again, NULL) == 0);
	assert(!strcmp(text, port_rule_format(&again, printed)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_NULL;
	char *text = malloc(size + 1);
	struct port_rule r;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (hostfwd_parse(text, &r, &e) < 0) {
		assert(e.code == EXIT_USAGE);
		assert(e.text[0] && !strpbrk(e.text, "\r\n"));
	} else {
		judge_rule(&r);
	}
	free(text);
	return 0;
}
