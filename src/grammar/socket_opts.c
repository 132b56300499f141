/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the options of `socket`: which of the five ways, and its
 * "HOST:PORT", with QEMU's messages (reference 1.2).  Refused besides: a port
 * above 65535, which QEMU cuts to 16 bits, and a peer without a port.
 */
#include "grammar/socket_opts.h"

#include <string.h>

#include "base/mem.h"
#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"

static const char *const way_keys[] = {
	[SOCKET_FD] = "fd",         [SOCKET_LISTEN] = "listen",
	[SOCKET_CONNECT] = "connect", [SOCKET_MCAST] = "mcast",
	[SOCKET_UDP] = "udp",
};

/* "HOST:PORT", cut at the first colon; an empty host is any address. */
static int parse_host_port(const struct netdev_spec *s, const char *key,
			   struct socket_host *h, struct error *e)
{
	const char *text = spec_str(s, key);
	const char *colon = strchr(text, ':');
	char q[QUOTE_LEN];
	uint64_t port;
	bool too_big;
	size_t len;

	if (!colon)
		return spec_error(s->kind, e,
				  "host address '%s' doesn't contain ':' "
				  "separating host from port (%s=)",
				  quote(q, text), key);
	len = (size_t)(colon - text);
	if (!number_parse(colon + 1, UINT16_MAX, &port, &too_big))
		return spec_error(s->kind, e, "port number '%s' is invalid%s "
					      "(%s=)",
				  quote(q, colon + 1),
				  too_big ? ", the highest is 65535"
				  : strchr(colon + 1, ':')
					  ? "; for IPv6 use stream or dgram"
					  : "",
				  key);
	if (len >= sizeof(h->host))
		return spec_error(s->kind, e, "can't resolve host address '%s'",
				  quote_n(q, text, len));
	memcpy(h->host, text, len);
	h->host[len] = '\0';
	if (!len)
		strcpy(h->host, "0.0.0.0");
	h->port = (uint16_t)port;
	return 0;
}

/* An address to send to has a port. */
static int parse_peer(const struct netdev_spec *s, const char *key,
		      struct socket_host *h, struct error *e)
{
	if (parse_host_port(s, key, h, e) < 0)
		return -1;
	if (h->port)
		return 0;
	return spec_error(s->kind, e,
			  "port number '0' is invalid, it names no peer (%s=)",
			  key);
}

static int check_group(const struct netdev_spec *s, const struct socket_host *h,
		       struct error *e)
{
	char q[QUOTE_LEN];
	addr a;

	/* A name is looked up, and judged, by who opens the socket. */
	if (!ip4_parse(h->host, &a) || addr_is_multicast(&a))
		return 0;
	return spec_error(s->kind, e,
			  "specified mcastaddr %s (0x%02x%02x%02x%02x) does "
			  "not contain a multicast address",
			  quote(q, h->host), a.b[12], a.b[13], a.b[14],
			  a.b[15]);
}

static int parse_mcast(const struct netdev_spec *s, struct socket_opts *o,
		       struct error *e)
{
	const char *local = spec_str(s, "localaddr");
	char q[QUOTE_LEN], text[ADDR_STRLEN];
	addr a;

	if (parse_peer(s, "mcast", &o->at, e) < 0 ||
	    check_group(s, &o->at, e) < 0)
		return -1;
	if (!local)
		return 0;
	if (!ip4_parse(local, &a))
		return spec_error(s->kind, e,
				  "localaddr '%s' is not a valid IPv4 address",
				  quote(q, local));
	strcpy(o->local.host, addr_format(&a, text));
	return 0;
}

static int parse_udp(const struct netdev_spec *s, struct socket_opts *o,
		     struct error *e)
{
	if (!spec_has(s, "localaddr"))
		return spec_error(s->kind, e,
				  "localaddr= is mandatory with udp=");
	if (parse_peer(s, "udp", &o->at, e) < 0)
		return -1;
	return parse_host_port(s, "localaddr", &o->local, e);
}

/* Keys that belong to some ways only. */
static int check_keys(const struct netdev_spec *s, enum socket_way way,
		      struct error *e)
{
	if (spec_has(s, "localaddr") && way != SOCKET_MCAST &&
	    way != SOCKET_UDP)
		return spec_error(s->kind, e,
				  "localaddr= is only valid with mcast= or "
				  "udp=");
	if (spec_has(s, "max") && way != SOCKET_LISTEN)
		return spec_error(s->kind, e,
				  "Parameter 'max' is only valid with listen=");
	if (spec_has(s, "reconnect-ms") && way != SOCKET_CONNECT)
		return spec_error(s->kind, e,
				  "Parameter 'reconnect-ms' is only valid with "
				  "connect=");
	return 0;
}

static int find_way(const struct netdev_spec *s, enum socket_way *wayp,
		    struct error *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < array_len(way_keys); i++) {
		if (!spec_has(s, way_keys[i]))
			continue;
		*wayp = (enum socket_way)i;
		n++;
	}
	if (n == 1)
		return 0;
	return spec_error(s->kind, e,
			  "exactly one of listen=, connect=, mcast= or udp= is "
			  "required%s",
			  spec_has(s, "fd") ? " (fd= counts as one)" : "");
}

int socket_opts_get(const struct netdev_spec *s, struct socket_opts *o,
		    struct error *e)
{
	*o = (struct socket_opts){.fd = -1};
	if (find_way(s, &o->way, e) < 0 || check_keys(s, o->way, e) < 0)
		return -1;
	switch (o->way) {
	case SOCKET_FD:
		if (netdev_check_fd(s, "fd", e) < 0)
			return -1;
		(void)spec_fds(s, "fd", &o->fd, 1); /* it is one */
		return 0;
	case SOCKET_LISTEN:
		return parse_host_port(s, "listen", &o->at, e);
	case SOCKET_CONNECT:
		return parse_peer(s, "connect", &o->at, e);
	case SOCKET_MCAST:
		return parse_mcast(s, o, e);
	case SOCKET_UDP:
		return parse_udp(s, o, e);
	}
	return -1;
}
