/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opener of socket: the same links as stream and dgram, written otherwise.
 * The netdev is rewritten as one of those, and theirs are the openers, the
 * connector and the port.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "grammar/socket_opts.h"
#include "keeper/plan.h"
#include "os/sock.h"

static void put_host(FILE *f, const char *key, const struct socket_host *h)
{
	fprintf(f, ",%s.type=inet,%s.host=", key, key);
	netdev_value_put(f, h->host);
	fprintf(f, ",%s.port=%u", key, h->port);
}

/* The group as an address, for dgram tells groups by that. */
static int resolve_group(struct socket_host *h, struct error *e)
{
	char port[8], text[ADDR_STRLEN];
	struct endpoint ep;
	int r;

	snprintf(port, sizeof(port), "%u", h->port);
	r = sock_resolve(h->host, port, false, &ep, e);
	if (r < 0)
		return r;
	if (!addr_is_v4(&ep.ip) || !addr_is_multicast(&ep.ip))
		return error_set(e, EXIT_USAGE,
				 "socket: specified mcastaddr %s (%s) does not "
				 "contain a multicast address",
				 h->host, addr_format(&ep.ip, text));
	snprintf(h->host, sizeof(h->host), "%s", addr_format(&ep.ip, text));
	return 0;
}

static int put_mcast(FILE *f, struct socket_opts *o, struct error *e)
{
	int r = resolve_group(&o->at, e);

	if (r < 0)
		return r;
	fputs("dgram", f);
	put_host(f, "remote", &o->at);
	if (o->local.host[0])
		put_host(f, "local", &o->local);
	return 0;
}

/* True if fd is bound to a multicast group, which is then in *h. */
static bool is_of_group(int fd, struct socket_host *h)
{
	char text[ADDR_STRLEN];
	struct endpoint ep;

	if (sock_bound_to(fd, &ep) < 0 || !addr_is_multicast(&ep.ip))
		return false;
	snprintf(h->host, sizeof(h->host), "%s", addr_format(&ep.ip, text));
	h->port = ep.port;
	return true;
}

/* What it is tells what it is for. */
static int put_fd(FILE *f, struct socket_opts *o, struct error *e)
{
	socklen_t len = sizeof(int);
	int type = 0, listens = 0;

	if (getsockopt(o->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return error_set(e, EXIT_USAGE,
				 "socket: can't get socket option SO_TYPE "
				 "(fd=%d: %s)",
				 o->fd, strerror(errno));
	len = sizeof(int);
	if (type == SOCK_STREAM) {
		/* Asked of any socket, this cannot fail. */
		(void)getsockopt(o->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
				 &len);
		fprintf(f, "stream,addr.type=fd,addr.str=%d,server=%s", o->fd,
			listens ? "on" : "off");
		return 0;
	}
	if (type != SOCK_DGRAM)
		return error_set(e, EXIT_USAGE,
				 "socket: socket type=%d for fd=%d must be "
				 "either SOCK_DGRAM or SOCK_STREAM",
				 type, o->fd);
	if (is_of_group(o->fd, &o->at)) {
		/* Shared with others, it would get a part of the datagrams
		 * only: one of our own takes its place, as in QEMU. */
		if (o->fd > 2)
			close(o->fd);
		return put_mcast(f, o, e);
	}
	fprintf(f, "dgram,local.type=fd,local.str=%d", o->fd);
	return 0;
}

static int put_text(FILE *f, const struct plan_netdev *n, struct socket_opts *o,
		    struct error *e)
{
	switch (o->way) {
	case SOCKET_FD:
		return put_fd(f, o, e);
	case SOCKET_LISTEN:
		fputs("stream", f);
		put_host(f, "addr", &o->at);
		fprintf(f, ",addr.ipv6=off,server=on,max=%u",
			(unsigned)spec_u64(n->spec, "max"));
		return 0;
	case SOCKET_CONNECT:
		fputs("stream", f);
		put_host(f, "addr", &o->at);
		fprintf(f, ",addr.ipv6=off,reconnect-ms=%u",
			(unsigned)spec_u64(n->spec, "reconnect-ms"));
		return 0;
	case SOCKET_MCAST:
		return put_mcast(f, o, e);
	case SOCKET_UDP:
		fputs("dgram", f);
		put_host(f, "remote", &o->at);
		put_host(f, "local", &o->local);
		return 0;
	}
	return -EINVAL;
}

/* The netdev in the words of stream or dgram. */
static int translate(struct plan_netdev *n, struct error *e)
{
	CLEANUP_FREE char *text = NULL;
	struct socket_opts o;
	size_t len;
	FILE *f;
	int r;

	r = socket_opts_get(n->spec, &o, e);
	if (r < 0)
		return r;
	f = open_memstream(&text, &len);
	if (!f)
		return error_errno(e, ENOMEM, "socket");
	r = put_text(f, n, &o, e);
	if (fclose(f) != 0 && r == 0)
		r = error_errno(e, ENOMEM, "socket");
	if (r == 0)
		r = netdev_parse(text, &n->own_spec, e);
	return r;
}

int open_socket(struct plan_netdev *n, struct error *e)
{
	int r = translate(n, e);

	if (r < 0)
		return r;
	n->spec = n->own_spec;
	if (strcmp(spec_kind(n->spec)->name, "stream") == 0)
		return open_stream(n, e);
	return open_dgram(n, e);
}
