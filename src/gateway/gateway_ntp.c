/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The time (service/ntp.h), and that DHCP of both families tells guests where
 * it is.  Called by gateway.c; the worker's thread.
 */
#include "gateway/gateway_priv.h"
#include "wire/ntp.h"

/* An option that was given (ntp-server=) replaces it. */
static void tell(void *arg, const struct dhcp_asker *a, struct dhcp_told *t)
{
	const struct gateway *gw = arg;
	const addr *ip4 = &gw->service.v4.gw, *ip6 = &gw->service.v6.gw;
	uint8_t buf[DHCP_NTP6_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!a->m6) {
		dhcp_told_put(t, DHCP_O_NTP, ip4->b + 12, 4);
		return;
	}
	dhcp_ntp6_emit(&w, ip6);
	dhcp_told_put(t, DHCP6_O_NTP, buf, wr_len(&w));
	dhcp_told_put(t, DHCP6_O_SNTP, ip6->b, sizeof(ip6->b));
}

int gateway_ntp_new(struct gateway *gw)
{
	int r = ntp_new(&gw->service, &gw->ntp);

	return r < 0 ? r : dhcp_rules_add_more(gw->dhcp_rules, tell, gw);
}
