/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as an answer: no crash, a body lies within them, and what is an
 * answer is one no more when its last byte is missing.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "control/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct control_answer a, b;
	size_t len;

	if (!size || control_answer_parse(text, size, &a) != 0)
		return 0;
	assert(a.status >= 100 && a.status <= 999);
	len = (size_t)(a.body - text) + a.n_body;
	assert(a.body > text && len <= size);
	assert(control_answer_parse(text, len - 1, &b) == -EAGAIN);
	return 0;
}
