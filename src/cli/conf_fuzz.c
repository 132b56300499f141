/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as a configuration file, and as one with a drop-in behind a byte 1:
 * no crash; each problem is one line in one of the files; without any the
 * options are a network's, and the forwards are what may be asked for.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/conf.h"
#include "control/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct conf *c, const char *path, const void *text, size_t len)
{
	assert(conf_file(c, path));
	assert(conf_text(c, text, len) == 0);
}

static void judge_problems(const struct conf *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_problems; i++) {
		const struct conf_problem *p = &c->problems[i];

		assert(p->text[0] && !strpbrk(p->text, "\r\n"));
		assert(strncmp(p->at.file, "lab.conf", 8) == 0);
		n += !p->is_warning;
	}
	assert(n == c->n_errors);
}

/* What it comes to is what the network's keeper takes. */
static void judge_bodies(const json_t *list, enum schema_id id)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		char *text = json_dumps(v, JSON_COMPACT);
		struct error e = ERROR_NULL;
		json_t *o = NULL;

		assert(text);
		assert(schema_read(&schema_requests[id], text, strlen(text),
				   &o, &e) == 0);
		json_decref(o);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *mark = size ? memchr(data, 1, size) : NULL;
	size_t n = mark ? (size_t)(mark - data) : size;
	struct error e = ERROR_NULL;
	struct conf c;

	conf_init(&c, "lab");
	add(&c, "lab.conf", data, n);
	if (mark)
		add(&c, "lab.conf.d/a.conf", mark + 1, size - n - 1);
	assert(conf_finish(&c, &e) == 0);
	judge_problems(&c);
	if (!c.n_errors)
		assert(c.mode.mode);
	judge_bodies(c.forwards, SCHEMA_POST_FORWARDS);
	judge_bodies(c.captures, SCHEMA_PUT_CAPTURES_KEPT);
	conf_deinit(&c);
	return 0;
}
