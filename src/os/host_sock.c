/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's sockets behind struct host; see base/host.h for the rules.
 * #syscalls: socket socketpair bind connect accept4 getsockname
 * #syscalls: getsockopt setsockopt
 * #syscalls: sendmsg recvmsg sendmmsg recvmmsg shutdown close
 * #syscalls: ioctl=SIOCOUTQ ioctl=SIOCATMARK fcntl=F_GETFL fcntl=F_SETFL
 */
#include "os/host_sock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/slab.h"
#include "os/host_clock.h"
#include "os/host_cmsg.h"
#include "os/host_group.h"
#include "os/sockaddr.h"

enum {
	BATCH_MAX = 64,
	CTRL_LEN = 192, /* room for the ancillary data of one datagram */
	SOCKS_MAX = 1 << 20, /* at a time; address space, touched on use */
	SINK_LEN = 1 << 16,
	SINK_PIECES = 32, /* 2 MiB in one call */
};

/* One registered socket: the loop's handle, apart from the owner's object. */
struct sock_io {
	struct loop_io io;
	struct host_sock *s; /* borrowed */
	bool is_v6;
	bool is_tcp; /* MSG_TRUNC throws bytes away */
	bool is_own; /* made here, and not shared: nobody else has a copy of
		      * fd, so closing it takes it out of the loop */
};

struct sock_host {
	struct host host;
	struct loop *loop; /* borrowed */
	struct host_sock_limits limits;
	struct slab ios; /* struct sock_io */
	/* scratch of the batch calls */
	struct mmsghdr mm[BATCH_MAX];
	struct sockaddr_storage names[BATCH_MAX];
	/* aligned as cmsghdr wants it */
	_Alignas(8) uint8_t ctrl[BATCH_MAX][CTRL_LEN];
	uint8_t sink[SINK_LEN]; /* what is thrown away, never looked at */
};

static struct sock_host *of(struct host *h)
{
	return container_of(h, struct sock_host, host);
}

static void io_event(struct loop_io *io, uint32_t events)
{
	struct sock_io *si = container_of(io, struct sock_io, io);
	unsigned ev = 0;

	if (events & EPOLLIN)
		ev |= HOST_EV_IN;
	if (events & EPOLLOUT)
		ev |= HOST_EV_OUT;
	if (events & EPOLLRDHUP)
		ev |= HOST_EV_RDHUP;
	if (events & EPOLLERR)
		ev |= HOST_EV_ERR;
	if (events & EPOLLHUP)
		ev |= HOST_EV_HUP;
	if (events & EPOLLPRI)
		ev |= HOST_EV_PRI;
	si->s->event(si->s, ev);
}

/* Takes fd into s; on failure fd stays the caller's. */
static int take(struct sock_host *sh, struct host_sock *s, int fd,
		bool is_v6, bool is_tcp, bool is_own)
{
	struct sock_io *si = slab_alloc(&sh->ios);
	int r;

	if (!si)
		return -ENFILE;
	si->io = (struct loop_io){.fd = fd, .fn = io_event, .is_far = true};
	si->s = s;
	si->is_v6 = is_v6;
	si->is_tcp = is_tcp;
	si->is_own = is_own;
	if (is_tcp)
		loop_moved(sh->loop, LOOP_OPENING, 0, 0);
	r = loop_add(sh->loop, &si->io,
		     EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
	if (r < 0) {
		slab_free(&sh->ios, si);
		return r;
	}
	s->fd = fd;
	s->priv = si;
	return 0;
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno
								      : 0;
}

/* An option that has a name in each family: a socket of IPv6 gets it for the
 * IPv4 that it may carry, too. */
static int set_ip(int fd, bool is_v6, int name4, int name6, int value)
{
	int r = set_int(fd, IPPROTO_IP, name4, value);

	return is_v6 ? set_int(fd, IPPROTO_IPV6, name6, value) : r;
}

/* What struct host_msg tells of a datagram besides its bytes.  A kernel
 * without one of these leaves the member 0. */
static void ask_details(const struct sock_host *sh, int fd, bool is_v6)
{
	(void)set_ip(fd, is_v6, IP_RECVTOS, IPV6_RECVTCLASS, 1);
	(void)set_ip(fd, is_v6, IP_RECVTTL, IPV6_RECVHOPLIMIT, 1);
	if (!sh->limits.deny_gso) /* fails on a ping socket */
		(void)set_int(fd, SOL_UDP, HOST_CMSG_RUN, 1);
}

static int op_open(struct host *h, struct host_sock *s, enum host_proto proto,
		   bool is_v6)
{
	struct sock_host *sh = of(h);
	bool is_tcp = proto == HOST_TCP;
	int type = is_tcp ? SOCK_STREAM : SOCK_DGRAM;
	int protocol = 0;
	int fd, r;

	if (proto == HOST_PING) {
		if (sh->limits.deny_ping)
			return -EACCES;
		protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	}
	fd = socket(is_v6 ? AF_INET6 : AF_INET,
		    type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	/* Whatever net.ipv6.bindv6only says. */
	if (proto == HOST_UDP && is_v6)
		(void)set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (!is_tcp)
		ask_details(sh, fd, is_v6);
	r = take(sh, s, fd, is_v6, is_tcp, true);
	if (r < 0)
		close(fd);
	return r;
}

static int op_pair(struct host *h, struct host_sock *a, struct host_sock *b)
{
	struct sock_host *sh = of(h);
	int fd[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       fd) < 0)
		return -errno;
	r = take(sh, a, fd[0], false, false, true);
	if (r < 0) {
		close(fd[0]);
	} else {
		r = take(sh, b, fd[1], false, false, true);
		if (r < 0)
			h->ops->close(h, a, false);
	}
	if (r < 0)
		close(fd[1]);
	return r;
}

static int op_open_group(struct host *h, struct host_sock *s,
			 const struct endpoint *group, uint32_t link)
{
	struct sock_host *sh = of(h);
	bool is_v6 = !addr_is_v4(&group->ip);
	int r, fd = host_group_open(group, link);

	if (fd < 0)
		return fd;
	ask_details(sh, fd, is_v6);
	r = take(sh, s, fd, is_v6, false, true);
	if (r < 0)
		close(fd);
	return r;
}

static int op_adopt(struct host *h, struct host_sock *s, int fd)
{
	struct sock_host *sh = of(h);
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);
	bool is_inet;
	int fl;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	len = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	is_inet = domain == AF_INET || domain == AF_INET6;
	if (is_inet && type == SOCK_DGRAM)
		ask_details(sh, fd, domain == AF_INET6);
	return take(sh, s, fd, domain == AF_INET6,
		    is_inet && type == SOCK_STREAM, false);
}

static int op_bind(struct host *h, struct host_sock *s,
		   const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);

	(void)h;
	return bind(s->fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

static int op_connect(struct host *h, struct host_sock *s,
		      const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);

	(void)h;
	return connect(s->fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

static int op_accept(struct host *h, struct host_sock *listener,
		     struct host_sock *s, struct endpoint *peerp)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	int fd = accept4(listener->fd, (struct sockaddr *)&ss, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	*peerp = (struct endpoint){0};
	(void)sockaddr_to(&ss, peerp); /* unix clients have no address */
	r = take(of(h), s, fd, ss.ss_family == AF_INET6,
		 ss.ss_family != AF_UNIX, true);
	if (r < 0)
		close(fd);
	return r;
}

static int op_local(struct host *h, struct host_sock *s, struct endpoint *ep)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	(void)h;
	if (getsockname(s->fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return sockaddr_to(&ss, ep) ? 0 : -EAFNOSUPPORT;
}

/* n bytes, or what errno says, from a call. */
static ssize_t moved(struct sock_host *sh, ssize_t n)
{
	if (n < 0)
		return -errno;
	loop_moved(sh->loop, LOOP_STREAM, 0, (uint64_t)n);
	return n;
}

static ssize_t op_send(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct msghdr m = {.msg_iov = (struct iovec *)iov,
			   .msg_iovlen = n_iov};
	const struct sock_io *si = s->priv;
	int f = MSG_NOSIGNAL | MSG_DONTWAIT;

	/* A unix socket would take the byte out of the stream. */
	if (flags & HOST_OOB && si->is_tcp)
		f |= MSG_OOB;
	if (flags & HOST_MORE)
		f |= MSG_MORE;
	return moved(of(h), sendmsg(s->fd, &m, f));
}

/* Reads up to room bytes away, at most SINK_PIECES sinks of them.  TCP does
 * it without a copy. */
static ssize_t discard(struct sock_host *sh, struct host_sock *s, size_t room)
{
	const struct sock_io *si = s->priv;
	struct iovec iov[SINK_PIECES];
	struct msghdr m = {.msg_iov = iov};
	ssize_t n;

	while (room && m.msg_iovlen < SINK_PIECES) {
		size_t len = room < SINK_LEN ? room : SINK_LEN;

		iov[m.msg_iovlen++] =
			(struct iovec){.iov_base = sh->sink, .iov_len = len};
		room -= len;
	}
	n = recvmsg(s->fd, &m, MSG_DONTWAIT | (si->is_tcp ? MSG_TRUNC : 0));
	return n < 0 ? -errno : n;
}

static ssize_t op_recv(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct msghdr m = {.msg_iov = (struct iovec *)iov,
			   .msg_iovlen = n_iov};
	int f = MSG_DONTWAIT;
	size_t room = 0;

	for (unsigned i = 0; i < n_iov; i++)
		room += iov[i].iov_len;
	if (!room)
		return -EINVAL;
	if (flags & HOST_DISCARD)
		return discard(of(h), s, room);
	if (flags & HOST_PEEK)
		f |= MSG_PEEK;
	if (flags & HOST_OOB)
		f |= MSG_OOB;
	return moved(of(h), recvmsg(s->fd, &m, f));
}

static void prepare_send(struct sock_host *sh, const struct host_msg *m,
			 unsigned i)
{
	struct msghdr *mh = &sh->mm[i].msg_hdr;

	*mh = (struct msghdr){.msg_iov = m->iov, .msg_iovlen = m->n_iov};
	if (m->ep.port || !addr_is_unspecified(&m->ep.ip)) {
		mh->msg_name = &sh->names[i];
		mh->msg_namelen = sockaddr_from(&m->ep, &sh->names[i]);
	}
	if (m->gso_size) {
		mh->msg_control = sh->ctrl[i];
		host_cmsg_put_run(mh, m->gso_size);
	}
	if (m->has_local) {
		mh->msg_control = sh->ctrl[i];
		host_cmsg_put_local(mh, m->local);
	}
}

static int op_send_batch(struct host *h, struct host_sock *s,
			 const struct host_msg *m, unsigned n)
{
	struct sock_host *sh = of(h);
	int r;

	if (n > BATCH_MAX)
		n = BATCH_MAX;
	for (unsigned i = 0; i < n; i++) {
		if (m[i].gso_size && sh->limits.deny_gso) {
			n = i;
			break;
		}
		prepare_send(sh, &m[i], i);
	}
	if (!n)
		return -EOPNOTSUPP;
	r = sendmmsg(s->fd, sh->mm, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < r; i++)
		loop_moved(sh->loop, LOOP_DATAGRAMS_OUT, 1, sh->mm[i].msg_len);
	return r < 0 ? -errno : r;
}

static int op_recv_batch(struct host *h, struct host_sock *s,
			 struct host_msg *m, unsigned n)
{
	struct sock_host *sh = of(h);
	int r;

	if (n > BATCH_MAX)
		n = BATCH_MAX;
	for (unsigned i = 0; i < n; i++)
		sh->mm[i].msg_hdr = (struct msghdr){
			.msg_name = &sh->names[i],
			.msg_namelen = sizeof(sh->names[i]),
			.msg_iov = m[i].iov,
			.msg_iovlen = m[i].n_iov,
			.msg_control = sh->ctrl[i],
			.msg_controllen = CTRL_LEN,
		};
	r = recvmmsg(s->fd, sh->mm, n, MSG_DONTWAIT, NULL);
	if (r < 0)
		return -errno;
	for (int i = 0; i < r; i++) {
		struct msghdr *mh = &sh->mm[i].msg_hdr;

		m[i].len = sh->mm[i].msg_len;
		loop_moved(sh->loop, LOOP_DATAGRAMS_IN, 1, m[i].len);
		m[i].truncated = mh->msg_flags & MSG_TRUNC;
		m[i].gso_size = 0;
		m[i].tos = 0;
		m[i].ttl = 0;
		m[i].has_local = false;
		m[i].is_to_group = false;
		m[i].ep = (struct endpoint){0};
		if (mh->msg_namelen)
			(void)sockaddr_to(&sh->names[i], &m[i].ep);
		host_cmsg_take(mh, &m[i]);
	}
	return r;
}

static void fill_err(struct host_err *e, const struct sock_extended_err *ee)
{
	const struct sockaddr *off = SO_EE_OFFENDER(ee);
	struct sockaddr_storage ss = {0};
	struct endpoint who = {0};

	e->err = (int)ee->ee_errno;
	e->origin = ee->ee_origin;
	e->type = ee->ee_type;
	e->code = ee->ee_code;
	e->info = ee->ee_info;
	if (off->sa_family == AF_INET)
		memcpy(&ss, off, sizeof(struct sockaddr_in));
	else if (off->sa_family == AF_INET6)
		memcpy(&ss, off, sizeof(struct sockaddr_in6));
	if (sockaddr_to(&ss, &who))
		e->offender = who.ip;
}

static int op_recv_err(struct host *h, struct host_sock *s, struct host_err *e)
{
	struct sockaddr_storage name = {0};
	_Alignas(8) uint8_t ctrl[512];
	struct iovec iov = {.iov_base = e->payload,
			    .iov_len = sizeof(e->payload)};
	struct msghdr m = {.msg_name = &name,
			   .msg_namelen = sizeof(name),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = ctrl,
			   .msg_controllen = sizeof(ctrl)};
	ssize_t n;

	*e = (struct host_err){0};
	n = recvmsg(s->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	(void)h;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	e->payload_len = (size_t)n;
	(void)sockaddr_to(&name, &e->dst);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP &&
			  c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 &&
			  c->cmsg_type == IPV6_RECVERR;

		if (v4 || v6)
			fill_err(e, (const void *)CMSG_DATA(c));
	}
	return 1;
}

static int op_error(struct host *h, struct host_sock *s)
{
	socklen_t len;
	int err = 0;

	(void)h;
	len = sizeof(err);
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

static void op_move(struct host *h, struct host_sock *from,
		    struct host_sock *to)
{
	struct sock_io *si = from->priv;

	(void)h;
	si->s = to;
	to->priv = si;
	to->fd = from->fd;
	from->priv = NULL;
	from->fd = -1;
}

static int op_shutdown(struct host *h, struct host_sock *s)
{
	(void)h;
	return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

static void op_close(struct host *h, struct host_sock *s, bool reset)
{
	struct sock_io *si = s->priv;

	if (s->fd < 0)
		return;
	if (reset) {
		struct linger lg = {.l_onoff = 1};

		/* Without it the peer sees FIN: told less, not wrong. */
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &lg,
				 sizeof(lg));
	}
	if (si->is_own)
		loop_forget(of(h)->loop, &si->io);
	else
		loop_del(of(h)->loop, &si->io);
	close(s->fd);
	s->fd = -1;
	s->priv = NULL;
	slab_free(&of(h)->ios, si);
}

static int op_share(struct host *h, struct host_sock *s)
{
	struct sock_io *si = s->priv;

	(void)h;
	si->is_own = false;
	return s->fd;
}

static int op_release(struct host *h, struct host_sock *s)
{
	struct sock_io *si = s->priv;
	int fd = s->fd;

	loop_del(of(h)->loop, &si->io);
	*s = (struct host_sock){.fd = -1, .event = s->event};
	slab_free(&of(h)->ios, si);
	return fd;
}

static_assert(IP_PMTUDISC_DO == IPV6_PMTUDISC_DO &&
		      IP_PMTUDISC_DONT == IPV6_PMTUDISC_DONT,
	      "one number for both families");

static int set_peek_off(const struct sock_host *sh, const struct sock_io *si,
			int fd, int value)
{
	int r;

	/* A unix stream's bytes lie in pieces that a peek may not pass. */
	if (!si->is_tcp)
		return -EPROTONOSUPPORT;
	if (sh->limits.deny_peek_off)
		return -ENOTSUP;
	r = set_int(fd, SOL_SOCKET, SO_PEEK_OFF, value);
	return r == -EOPNOTSUPP ? -ENOTSUP : r;
}

/* The system's own patience between the questions is short enough. */
static int set_keepalive(const struct sock_io *si, int fd, int secs)
{
	const int most = 75;
	int r;

	if (!si->is_tcp)
		return -EOPNOTSUPP;
	if (secs > 0) {
		r = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, secs);
		if (r < 0)
			return r;
		r = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL,
			    secs < most ? secs : most);
		if (r < 0)
			return r;
	}
	return set_int(fd, SOL_SOCKET, SO_KEEPALIVE, secs > 0);
}

static int op_set(struct host *h, struct host_sock *s, enum host_opt opt,
		  int value)
{
	const struct sock_io *si = s->priv;
	int fd = s->fd;

	switch (opt) {
	case HOST_OPT_NODELAY:
		return set_int(fd, IPPROTO_TCP, TCP_NODELAY, value);
	case HOST_OPT_KEEPALIVE:
		return set_keepalive(si, fd, value);
	case HOST_OPT_OOBINLINE:
		return set_int(fd, SOL_SOCKET, SO_OOBINLINE, value);
	case HOST_OPT_TTL:
		return set_ip(fd, si->is_v6, IP_TTL, IPV6_UNICAST_HOPS, value);
	case HOST_OPT_TOS:
		return set_ip(fd, si->is_v6, IP_TOS, IPV6_TCLASS, value);
	case HOST_OPT_DF:
		return set_ip(fd, si->is_v6, IP_MTU_DISCOVER,
			      IPV6_MTU_DISCOVER,
			      value ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	case HOST_OPT_RECVERR:
		return set_ip(fd, si->is_v6, IP_RECVERR, IPV6_RECVERR, value);
	case HOST_OPT_SNDBUF:
		return set_int(fd, SOL_SOCKET, SO_SNDBUF, value);
	case HOST_OPT_RCVBUF:
		return set_int(fd, SOL_SOCKET, SO_RCVBUF, value);
	case HOST_OPT_PEEK_OFF:
		return set_peek_off(of(h), si, fd, value);
	case HOST_OPT_PKTINFO:
		return set_ip(fd, si->is_v6, IP_PKTINFO, IPV6_RECVPKTINFO,
			      value);
	case HOST_OPT_GROUP_TTL:
		return set_ip(fd, si->is_v6, IP_MULTICAST_TTL,
			      IPV6_MULTICAST_HOPS, value);
	case HOST_OPT_GROUP_LINK:
		return host_group_link(fd, si->is_v6, value);
	case HOST_OPT_SNDQ:
	case HOST_OPT_MTU:
	case HOST_OPT_ATMARK:
		break;
	}
	return -EINVAL;
}

static int get_int(int fd, int level, int name, int *valuep)
{
	socklen_t len = sizeof(*valuep);

	return getsockopt(fd, level, name, valuep, &len) < 0 ? -errno : 0;
}

static int op_get(struct host *h, struct host_sock *s, enum host_opt opt,
		  int *valuep)
{
	const struct sock_io *si = s->priv;
	int fd = s->fd;

	(void)h;
	switch (opt) {
	case HOST_OPT_SNDQ:
		return ioctl(fd, SIOCOUTQ, valuep) < 0 ? -errno : 0;
	case HOST_OPT_ATMARK:
		if (!si->is_tcp)
			return -EOPNOTSUPP;
		return ioctl(fd, SIOCATMARK, valuep) < 0 ? -errno : 0;
	case HOST_OPT_MTU:
		return si->is_v6 ? get_int(fd, IPPROTO_IPV6, IPV6_MTU, valuep)
				 : get_int(fd, IPPROTO_IP, IP_MTU, valuep);
	case HOST_OPT_SNDBUF:
		return get_int(fd, SOL_SOCKET, SO_SNDBUF, valuep);
	case HOST_OPT_RCVBUF:
		return get_int(fd, SOL_SOCKET, SO_RCVBUF, valuep);
	case HOST_OPT_NODELAY:
	case HOST_OPT_KEEPALIVE:
	case HOST_OPT_OOBINLINE:
	case HOST_OPT_TTL:
	case HOST_OPT_TOS:
	case HOST_OPT_DF:
	case HOST_OPT_RECVERR:
	case HOST_OPT_GROUP_TTL:
	case HOST_OPT_GROUP_LINK:
	case HOST_OPT_PEEK_OFF:
	case HOST_OPT_PKTINFO:
		break;
	}
	return -EINVAL;
}

static const struct host_ops sock_host_ops = {
	.open = op_open,
	.pair = op_pair,
	.open_group = op_open_group,
	.adopt = op_adopt,
	.bind = op_bind,
	.connect = op_connect,
	.accept = op_accept,
	.move = op_move,
	.local = op_local,
	.send = op_send,
	.recv = op_recv,
	.send_batch = op_send_batch,
	.recv_batch = op_recv_batch,
	.recv_err = op_recv_err,
	.error = op_error,
	.shutdown = op_shutdown,
	.close = op_close,
	.share = op_share,
	.release = op_release,
	.set = op_set,
	.get = op_get,
	.realtime = host_clock_realtime,
	.clock = host_clock_state,
};

int host_sock_new(struct loop *l, const struct host_sock_limits *limits,
		  struct host **hostp)
{
	struct sock_host *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return -ENOMEM;
	if (slab_init(&sh->ios, sizeof(struct sock_io), SOCKS_MAX) < 0) {
		free(sh);
		return -ENOMEM;
	}
	sh->host.ops = &sock_host_ops;
	sh->loop = l;
	if (limits)
		sh->limits = *limits;
	*hostp = &sh->host;
	return 0;
}

struct host *host_sock_free(struct host *h)
{
	if (!h)
		return NULL;
	slab_deinit(&of(h)->ios);
	free(of(h));
	return NULL;
}
