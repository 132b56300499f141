/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process may do; see may.h. */
#include "os/may.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static bool has(unsigned capability)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* The kernel shows the owner of a namespace to those only who are in it, or
 * above; who is above has its rights as well. */
static bool owns_network(void)
{
	CLEANUP_FD int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int owner = net < 0 ? -1 : ioctl(net, NS_GET_USERNS);

	return owner >= 0;
}

bool may_make_links(void)
{
	return has(CAP_NET_ADMIN) && owns_network();
}

/* In a user namespace that is not the first the map has other numbers, or
 * fewer. */
static bool is_first_userns(void)
{
	unsigned inside, outside, n;
	FILE *f = fopen("/proc/self/uid_map", "re");
	int got;

	if (!f)
		return true; /* a kernel without user namespaces */
	got = fscanf(f, "%u %u %u", &inside, &outside, &n);
	fclose(f);
	return got == 3 && inside == 0 && outside == 0 && n == ~0u;
}

bool may_make_macvtaps(void)
{
	return may_make_links() && is_first_userns() && has(CAP_SYS_ADMIN) &&
	       has(CAP_MKNOD);
}

bool link_is_wireless(const char *ifname)
{
	static const char *const marks[] = {"phy80211", "wireless"};
	char path[128];

	if (strchr(ifname, '/'))
		return false;
	for (size_t i = 0; i < array_len(marks); i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%.32s/%s", ifname,
			 marks[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}
