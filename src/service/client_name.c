/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of clients; see client_name.h. */
#include "service/client_name.h"

bool client_name_parse(struct rd *r, bool is_wire, char *buf, size_t room)
{
	size_t at = 0, label = 0;

	while (rd_ok(r) && rd_left(r)) {
		uint8_t c = rd_u8(r);

		if (is_wire && !label) {
			label = c;
			if (!c)
				break;
			c = '.';
			if (!at)
				continue;
		} else if (is_wire) {
			label--;
		}
		if (c <= ' ' || c > '~' || at + 1 >= room)
			return false;
		buf[at++] = (char)c;
	}
	buf[at] = '\0';
	return rd_ok(r) && at && !label;
}
