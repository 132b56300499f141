/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as a journal, and as a record: no crash, nothing outside of them
 * is read, and what is taken for a record is written just so again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "os/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct undo *u, const uint8_t *data, size_t size)
{
	uint8_t buf[UNDO_RECORD_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	undo_encode(u, &w);
	assert(wr_ok(&w) && wr_len(&w) == size);
	assert(memcmp(buf, data, size) == 0);
}

static void use(const struct undo *u)
{
	char text[RTNL_ROUTE_STRLEN];
	struct rtnl_route t;

	if (u->type != UNDO_ROUTE_ADD && u->type != UNDO_ROUTE_DEL)
		return;
	t = rtnl_route_by(&u->route, 2, 3);
	assert(rtnl_route_is_sound(&t));
	assert(!rtnl_route_index(&u->route) || rtnl_route_index(&t) == 3);
	assert(strlen(rtnl_route_format(&t, text)) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint32_t last, len;
	struct undo u;
	bool kept;

	if (size <= UNDO_RECORD_MAX && undo_decode(&r, &u)) {
		judge(&u, data, size);
		use(&u);
	}
	len = journal_scan(data, size, &last, &kept);
	assert(len <= size && last <= len);
	if (last) {
		assert(journal_read(data, size, last, &u));
		assert(kept == (u.type == UNDO_KEEP));
		use(&u);
	}
	return 0;
}
