/* SPDX-License-Identifier: BSD-3-Clause */
/* User namespaces; see userns.h. */
#include "os/userns.h"

#include <stdint.h>
#include <stdio.h>

#include "os/file.h"

static int map_id(const char *path, unsigned id, unsigned as)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1\n", as, id);
	return file_put(path, text);
}

int userns_map(uid_t uid, gid_t gid, uid_t as_uid, gid_t as_gid)
{
	/* Else a gid_map is for root alone to write. */
	int r = file_put("/proc/self/setgroups", "deny");

	if (r == 0)
		r = map_id("/proc/self/uid_map", uid, as_uid);
	if (r == 0)
		r = map_id("/proc/self/gid_map", gid, as_gid);
	return r;
}

/* In another the map has other numbers, or fewer. */
bool userns_is_first(void)
{
	unsigned inside, outside, n;
	FILE *f = fopen("/proc/self/uid_map", "re");
	int got;

	if (!f)
		return true;
	got = fscanf(f, "%u %u %u", &inside, &outside, &n);
	fclose(f);
	return got == 3 && inside == 0 && outside == 0 && n == UINT32_MAX;
}
