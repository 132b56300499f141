/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any KEY=VALUE to the parser of what a cable does: no crash, an error is one
 * line with the code of usage, and a value that is taken is shown in a form
 * that means the same and is shown in the same form again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/link_opts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_error(const struct error *e)
{
	assert(e->code == EXIT_USAGE);
	assert(e->text[0] && !strpbrk(e->text, "\r\n"));
}

static void judge_value(const struct impair *i, const char *name)
{
	char text[LINK_VALUE_LEN], again[LINK_VALUE_LEN];
	struct error e = ERROR_NULL;

	assert(i->delay_ns <= IMPAIR_DELAY_MAX_NS);
	assert(i->jitter_ns <= IMPAIR_DELAY_MAX_NS);
	assert(i->loss <= IMPAIR_ALL && i->corrupt <= IMPAIR_ALL);
	assert(i->duplicate <= IMPAIR_ALL && i->reorder <= IMPAIR_ALL);
	assert(!i->rate || (i->rate >= IMPAIR_RATE_MIN &&
			    i->rate <= IMPAIR_RATE_MAX));
	assert(i->burst <= IMPAIR_BURST_MAX);
	for (unsigned k = 0; k < LINK_KEYS; k++) {
		struct impair other = {0};

		if (strcmp(link_key_name((enum link_key)k), name) != 0 ||
		    !link_opt_format(i, (enum link_key)k, text))
			continue;
		assert(link_opt_parse(name, text, &other, &e) == 0);
		assert(memcmp(&other, i, sizeof(other)) == 0);
		assert(link_opt_format(&other, (enum link_key)k, again));
		assert(strcmp(text, again) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_NULL, te = ERROR_NULL;
	struct impair i = {0};
	char *text = malloc(size + 1), *value;
	uint64_t ns = 0;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	value = strchr(text, '=');
	if (!value) {
		free(text);
		return 0;
	}
	*value++ = '\0';
	if (link_opt_parse(text, value, &i, &e) < 0)
		judge_error(&e);
	else
		judge_value(&i, text);
	if (link_time_parse("for", value, &ns, &te) < 0)
		judge_error(&te);
	else
		assert(ns > 0);
	free(text);
	return 0;
}
