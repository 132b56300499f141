/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts of a guest's HTTP request: what is said of them is inside of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/http_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const char *text, uint64_t size)
{
	uint64_t from, len;

	if (http_range(text, size, &from, &len) == HTTP_RANGE_PART &&
	    (!len || from >= size || len > size - from))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *text = malloc(size + 1);
	char path[64];

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (http_path(text, path, sizeof(path)) && strlen(path) > size)
		abort();
	(void)!http_path(text, path, 1);
	check_range(text, 0);
	check_range(text, 10);
	check_range(text, UINT64_MAX);
	(void)http_has_tag(text, "\"1-2-3\"");
	(void)http_type(text);
	return 0;
}
