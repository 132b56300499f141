/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What machines boot from the network: the TFTP server and the names that DHCP
 * tells.  Called by the engine; the worker's thread.
 */
#include <errno.h>

#include "gateway/gateway_priv.h"

int gateway_boot(struct gateway *gw, const struct netboot *n)
{
	int r = 0;

	gateway_pause(gw);
	if (n->has_tftp && !gw->tftp && gw->tftp_files)
		r = tftp_new(&gw->service, gw->tftp_files, gw->port.id,
			     &gw->tftp);
	gateway_resume(gw);
	if (r < 0)
		return r;
	if (!gw->service.netboot)
		r = dhcp_rules_add_more(gw->dhcp_rules, netboot_tell,
					&gw->service);
	if (r < 0)
		return r;
	gw->netboot = *n;
	gw->service.netboot = &gw->netboot;
	return 0;
}

int gateway_tftp_opened(struct gateway *gw, uint64_t number, int fd,
			uint64_t size, int err)
{
	return gw->tftp ? tftp_opened(gw->tftp, number, fd, size, err)
			: -ENOENT;
}
