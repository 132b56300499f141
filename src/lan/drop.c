/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and texts of the drop reasons, from the table in drop.h.  Called by
 * listings (stats, why) on any thread; nothing here has state.
 */
#include "lan/drop.h"

#include <stddef.h>

struct drop_text {
	const char *name;
	const char *text;
};

static const struct drop_text texts[] = {
#define DROP_TEXT(name_, text_)                                                \
	[DROP_##name_] = {.name = #name_, .text = text_},
	DROP_REASONS(DROP_TEXT)
#undef DROP_TEXT
};

_Static_assert(sizeof(texts) / sizeof(texts[0]) == DROP_N,
	       "one text per reason");

const char *drop_name(enum drop_reason why)
{
	return (unsigned)why < DROP_N ? texts[why].name : "?";
}

const char *drop_text(enum drop_reason why)
{
	return (unsigned)why < DROP_N ? texts[why].text : "unknown reason";
}
