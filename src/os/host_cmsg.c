/* SPDX-License-Identifier: BSD-3-Clause */
/* Ancillary data of datagrams; see host_cmsg.h. */
#include "os/host_cmsg.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "os/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Puts one ancillary int into a message that is being built. */
static void put(struct msghdr *m, int level, int type, const void *data,
		size_t len)
{
	struct cmsghdr *c = (void *)((uint8_t *)m->msg_control +
				     m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += CMSG_SPACE(len);
}

void host_cmsg_put_local(struct msghdr *mh, addr a)
{
	if (addr_is_v4(&a)) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, a.b + 12, 4);
		put(mh, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {
			.ipi6_ifindex = sockaddr_unscope(&a)};

		memcpy(&info.ipi6_addr, a.b, 16);
		put(mh, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

void host_cmsg_put_run(struct msghdr *mh, uint16_t size)
{
	put(mh, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
}

/* An ancillary number that the kernel gives as int or as one byte. */
static int number(const struct cmsghdr *c)
{
	int v = 0;
	size_t len = c->cmsg_len - CMSG_LEN(0);

	if (len == 1)
		return *CMSG_DATA(c);
	if (len >= sizeof(v))
		memcpy(&v, CMSG_DATA(c), sizeof(v));
	return v;
}

static void take_local(const struct cmsghdr *c, struct host_msg *m)
{
	struct in_pktinfo info;

	if (c->cmsg_len < CMSG_LEN(sizeof(info)))
		return;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	m->local = addr_v4_bytes((const uint8_t *)&info.ipi_spec_dst);
	m->has_local = true;
	m->is_to_group = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
}

/* Of IPv4 too, on a socket of IPv6; what IPv4's own says comes behind it and
 * counts. */
static void take_local6(const struct cmsghdr *c, struct host_msg *m)
{
	struct in6_pktinfo info;

	if (c->cmsg_len < CMSG_LEN(sizeof(info)))
		return;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	memcpy(m->local.b, &info.ipi6_addr, 16);
	m->is_to_group = addr_is_multicast(&m->local);
	m->has_local = !m->is_to_group;
	m->local = sockaddr_scoped(m->local, info.ipi6_ifindex);
}

void host_cmsg_take(struct msghdr *mh, struct host_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == HOST_CMSG_RUN)
			m->gso_size = (uint16_t)number(c);
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			m->tos = (uint8_t)number(c);
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
			m->ttl = (uint8_t)number(c);
		else if (c->cmsg_level == IPPROTO_IP &&
			 c->cmsg_type == IP_PKTINFO)
			take_local(c, m);
		else if (c->cmsg_level == IPPROTO_IPV6 &&
			 c->cmsg_type == IPV6_PKTINFO)
			take_local6(c, m);
		else if (c->cmsg_level == IPPROTO_IPV6 &&
			 c->cmsg_type == IPV6_TCLASS)
			m->tos = (uint8_t)number(c);
		else if (c->cmsg_level == IPPROTO_IPV6 &&
			 c->cmsg_type == IPV6_HOPLIMIT)
			m->ttl = (uint8_t)number(c);
	}
}
