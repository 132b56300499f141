/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process may do; see may.h. */
#include "os/may.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sysctl.h"
#include "os/userns.h"

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

bool may_have_ipv6(void)
{
	char v[4];

	return sysctl_get("net/ipv6/conf/default/disable_ipv6", v,
			  sizeof(v)) >= 0 &&
	       strcmp(v, "0") == 0;
}

bool may_make_macvtaps(void)
{
	return may_make_links() && userns_is_first() && has(CAP_SYS_ADMIN) &&
	       has(CAP_MKNOD);
}

/* /sys may be that of another namespace: then it says nothing. */
bool link_is_wireless(const char *ifname)
{
	bool is_wlan = false, is_it = false;
	char path[64], line[128], index[32];
	FILE *f;

	if (strlen(ifname) >= IFNAMSIZ || strchr(ifname, '/'))
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/uevent", ifname);
	snprintf(index, sizeof(index), "IFINDEX=%u\n",
		 if_nametoindex(ifname));
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		is_wlan |= strcmp(line, "DEVTYPE=wlan\n") == 0;
		is_it |= strcmp(line, index) == 0;
	}
	if (f)
		fclose(f);
	return is_wlan && is_it;
}
