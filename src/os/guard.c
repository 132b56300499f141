/* SPDX-License-Identifier: BSD-3-Clause */
/* What an interface believes of machines; see guard.h. */
#include "os/guard.h"

#include <errno.h>
#include <stdio.h>

#include "os/sysctl.h"

static const struct {
	const char *family, *name, *value;
	bool is_of_routers;
} settings[] = {
	/* Who is not behind it is not there, for ARP either (RFC 3704). */
	{"ipv4", "rp_filter", "1", false},
	{"ipv4", "accept_redirects", "0", true},
	{"ipv6", "accept_ra", "0", true},
	{"ipv6", "accept_redirects", "0", true},
};

int guard_link(const char *ifname, bool is_router)
{
	char name[96];
	int first = 0;

	for (size_t i = 0; i < array_len(settings); i++) {
		int r;

		if (is_router && !settings[i].is_of_routers)
			continue;
		snprintf(name, sizeof(name), "net/%s/conf/%s/%s",
			 settings[i].family, ifname, settings[i].name);
		r = sysctl_set(name, settings[i].value);
		/* -ENOENT: a host without IPv6 */
		if (r < 0 && r != -ENOENT && first == 0)
			first = r;
	}
	return first;
}
