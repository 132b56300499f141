/* SPDX-License-Identifier: BSD-3-Clause */
/* Renewing a lease; see renew.h. */
#include "cli/renew.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "cli/lease_priv.h"

enum {
	AGAIN_MS = 60000, /* at least, between two questions */
	DATAGRAM_MAX = 2048,
};

int renewal_socket(const char *ifname)
{
	CLEANUP_FD int fd = socket(AF_INET,
				   SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   0);
	const struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(DHCP_PORT_CLIENT)};
	const int on = 1;

	/* The program may want the port too. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname,
		       (socklen_t)strlen(ifname)) < 0 ||
	    bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return fd_steal(&fd);
}

static void set_times(struct renewal *r, int64_t now_ms)
{
	int64_t whole = (int64_t)r->lease.lease_s * 1000;
	int64_t renew = (int64_t)r->lease.renew_s * 1000;
	int64_t rebind = (int64_t)r->lease.rebind_s * 1000;

	/* As RFC 2131 has them, unless the server says what can be. */
	if (rebind <= 0 || rebind > whole)
		rebind = whole / 8 * 7;
	if (renew <= 0 || renew > rebind)
		renew = whole / 2;
	r->ask_ms = now_ms + renew;
	r->rebind_ms = now_ms + rebind;
	r->end_ms = now_ms + whole;
	r->has_ended = false;
}

void renewal_begin(struct renewal *r, int fd, const struct lease *l,
		   int64_t now_ms)
{
	r->lease = *l;
	if (!l->lease_s || l->lease_s == UINT32_MAX) {
		fd_close(&fd);
		return;
	}
	r->fd = fd;
	set_times(r, now_ms);
}

/* Half of what is left until the next way of asking, or a minute. */
static int64_t next_question(const struct renewal *r, int64_t now_ms)
{
	int64_t next = now_ms < r->rebind_ms ? r->rebind_ms : r->end_ms;
	int64_t wait = (next - now_ms) / 2;

	if (wait < AGAIN_MS)
		wait = AGAIN_MS;
	return now_ms < next && now_ms + wait > next ? next : now_ms + wait;
}

static struct lease_question question(const struct renewal *r)
{
	return (struct lease_question){
		.mac = r->mac,
		.hostname = r->hostname,
		.xid = r->xid,
		.type = DHCP_REQUEST,
		.wanted = addr_v4_u32(0),
		.server = addr_v4_u32(0),
		.own = r->lease.ip.ip,
	};
}

static void ask(struct renewal *r, int64_t now_ms)
{
	bool is_server_known = !addr_is_unspecified(&r->lease.server);
	bool asks_all = now_ms >= r->rebind_ms || !is_server_known;
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DHCP_PORT_SERVER),
		.sin_addr.s_addr = htonl(asks_all ? INADDR_BROADCAST
						  : addr_u32(&r->lease.server)),
	};
	struct lease_question q;
	uint8_t body[DHCP_SURE_LEN];
	struct wr w = wr_init(body, sizeof(body));

	if (getrandom(&r->xid, sizeof(r->xid), 0) != sizeof(r->xid))
		r->xid++;
	q = question(r);
	lease_emit(&w, &q);
	/* What is lost is asked again. */
	(void)sendto(r->fd, w.start, wr_len(&w), MSG_NOSIGNAL,
		     (const struct sockaddr *)&to, sizeof(to));
	r->ask_ms = next_question(r, now_ms);
}

static void take(struct renewal *r, const struct dhcp_msg *m, int64_t now_ms)
{
	char ip[ADDR_STRLEN];
	struct lease l;

	addr_format(&r->lease.ip.ip, ip);
	if (m->type == DHCP_NAK) {
		log_warn(r->log, "the network's DHCP server takes %s back", ip);
		fd_close(&r->fd);
		return;
	}
	/* The address is the program's whole life's. */
	if (!lease_take(m, &l) || !addr_eq(&l.ip.ip, &r->lease.ip.ip) ||
	    !l.lease_s)
		return;
	r->lease.lease_s = l.lease_s;
	r->lease.renew_s = l.renew_s;
	r->lease.rebind_s = l.rebind_s;
	if (!addr_is_unspecified(&l.server))
		r->lease.server = l.server;
	set_times(r, now_ms);
}

static void hear(struct renewal *r, int64_t now_ms)
{
	const struct lease_question q = question(r);
	uint8_t buf[DATAGRAM_MAX];
	struct dhcp_msg m;
	ssize_t n;

	while (r->fd >= 0) {
		struct rd rd;

		n = recv(r->fd, buf, sizeof(buf), 0);
		if (n < 0) /* none, or an error, which it has told */
			return;
		rd = rd_init(buf, (size_t)n);
		if (r->xid && lease_parse(&q, &rd, &m))
			take(r, &m, now_ms);
	}
}

int renewal_turn(struct renewal *r, int64_t now_ms)
{
	char ip[ADDR_STRLEN];
	int64_t wait;

	hear(r, now_ms);
	if (r->fd < 0)
		return -1;
	if (now_ms >= r->end_ms && !r->has_ended) {
		log_warn(r->log, "the lease of %s has ended, and nobody renews "
				 "it",
			 addr_format(&r->lease.ip.ip, ip));
		r->has_ended = true;
	}
	if (now_ms >= r->ask_ms)
		ask(r, now_ms);
	wait = r->ask_ms - now_ms;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

void renewal_deinit(struct renewal *r)
{
	fd_close(&r->fd);
}
