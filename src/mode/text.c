/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of a netdev, of a recipe's keys and values. */
#include <stdio.h>
#include <stdlib.h>

#include "grammar/netdev_spec.h"
#include "mode/mode_priv.h"

void mode_put_key(FILE *f, const char *option)
{
	fputc(',', f);
	netdev_value_put(f, option);
}

char *mode_text(const char *kind, const struct mode_pair *pairs)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(kind, f);
	for (; pairs->key; pairs++) {
		if (!pairs->value)
			continue;
		fprintf(f, ",%s=", pairs->key);
		netdev_value_put(f, pairs->value);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

const char *mode_ifname(const struct mode_spec *s, char *buf, size_t room)
{
	const char *given = mode_value(s, "ifname");

	if (given)
		return given;
	snprintf(buf, room, "vm-%.12s", s->name);
	return buf;
}
