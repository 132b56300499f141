/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as the body of a request: no crash, an error is one line with the
 * code of usage, and what is taken reads again as it prints.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"
#include "control/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct attach_request *a)
{
	struct attach_request b;
	char *text = attach_request_format(a);

	assert(text && control_name_ok(a->name) && a->pid > 0);
	assert(attach_request_parse(text, strlen(text), &b, NULL) == 0);
	assert(!strcmp(a->name, b.name) && a->pid == b.pid);
	assert(a->netns == b.netns);
	assert(a->n_forwards == b.n_forwards && a->hub == b.hub);
	attach_request_deinit(&b);
	free(text);
}

static void judge_row(const struct schema_request *r, const char *text,
		      size_t size)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (!r->body)
		return;
	if (schema_read(r, text, size, &o, &e) < 0)
		assert(!o && e.code == EXIT_USAGE && e.text[0] &&
		       !strpbrk(e.text, "\r\n"));
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct error e = ERROR_NULL;
	struct attach_request a;
	struct capture_request c;
	bool is_kept;
	pid_t pid;

	if (attach_request_parse(text, size, &a, &e) == 0)
		judge(&a);
	else
		assert(e.code == EXIT_USAGE && e.text[0] &&
		       !strpbrk(e.text, "\r\n"));
	attach_request_deinit(&a);
	if (life_request_parse(text, size, &pid, NULL) == 0)
		assert(pid >= 0);
	(void)!kept_request_parse(text, size, &is_kept, NULL);
	if (capture_request_parse(text, size, &c, NULL) == 0)
		assert((!c.machine[0] || control_name_ok(c.machine)) &&
		       c.memory <= CONTROL_CAPTURE_MAX &&
		       c.snap_len <= CONTROL_SNAP_MAX);
	for (unsigned i = 0; i < SCHEMA_N; i++)
		judge_row(&schema_requests[i], text, size);
	return 0;
}
