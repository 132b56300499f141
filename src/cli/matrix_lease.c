/* SPDX-License-Identifier: BSD-3-Clause */
/* How the matrix's machines get an address: one lease, once. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "cli/lease.h"
#include "cli/matrix.h"
#include "os/rtnl.h"

enum {
	FIRST_MS = 500, /* 500, 1000 .. 16000: half a minute */
	TRIES = 6,
};

static int open_socket(int index, struct error *e)
{
	const struct sockaddr_ll sa = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = index,
	};
	CLEANUP_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(e, errno, "DHCP");
	return fd_steal(&fd);
}

int matrix_lease_get(const char *ifname, struct matrix_lease *l,
		     struct error *e)
{
	struct rtnl_link link;
	struct lease lease;
	char hostname[16];
	struct lease_args a = {
		.hostname = hostname, .first_ms = FIRST_MS, .tries = TRIES};
	CLEANUP_FD int fd = -1;
	int r = rtnl_link_get(ifname, 0, &link);

	if (r < 0)
		return error_errno(e, r, "%s", ifname);
	fd = open_socket(link.index, e);
	if (fd < 0)
		return fd;
	a.fd = fd;
	a.mac = link.mac;
	snprintf(hostname, sizeof(hostname), "matrix-%02x", link.mac.b[5]);
	r = lease_ask(&a, &lease, NULL);
	if (r < 0)
		return error_errno(e, r, "%s: no address by DHCP", ifname);
	*l = (struct matrix_lease){
		.ip = lease.ip.ip,
		.len = (uint8_t)prefix_len(&lease.ip),
		.router = lease.router,
	};
	return 0;
}
