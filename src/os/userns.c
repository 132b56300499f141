/* SPDX-License-Identifier: BSD-3-Clause */
/* User namespaces; see userns.h. */
#include "os/userns.h"

#include <stdint.h>
#include <stdio.h>

#include "os/file.h"

/* pid 0: the caller's. */
static int put(pid_t pid, const char *name, const char *text)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	return file_put(path, text);
}

static int map_id(pid_t pid, const char *name, unsigned id, unsigned as)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1\n", as, id);
	return put(pid, name, text);
}

int userns_map(uid_t uid, gid_t gid, uid_t as_uid, gid_t as_gid)
{
	return userns_map_child(0, true, uid, gid, as_uid, as_gid);
}

int userns_map_child(pid_t pid, bool denies_groups, uid_t uid, gid_t gid,
		     uid_t as_uid, gid_t as_gid)
{
	/* Else a gid_map is for root alone to write. */
	int r = denies_groups ? put(pid, "setgroups", "deny") : 0;

	if (r == 0)
		r = map_id(pid, "uid_map", uid, as_uid);
	if (r == 0)
		r = map_id(pid, "gid_map", gid, as_gid);
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
