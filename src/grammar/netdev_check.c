/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules between the keys of a netdev, with QEMU's messages where QEMU
 * has one.  Called by netdev_parse() only.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"
#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/socket_opts.h"
#include "grammar/vde_opts.h"

enum {
	IFNAME_MAX = 15,
	UNIX_PATH_MAX = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
};

/* A socket address under judgement, for the functions below. */
struct addr_check {
	const struct netdev_kind *kind;
	const char *name; /* "addr", "local", "remote" */
	struct sockaddr_value *v;
	struct error *e;
};

static struct value *member(const struct addr_check *c, const char *name)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;

	while (strcmp(m->opt.name, name))
		m++;
	return &c->v->members[m - netdev_sockaddr_options];
}

static enum tristate tristate_of(const struct value *v)
{
	if (!v->is_set)
		return TRI_UNSET;
	return v->b ? TRI_ON : TRI_OFF;
}

static int addr_find_type(const struct addr_check *c, enum sock_addr_type *tp)
{
	const struct value *type = member(c, "type");
	char q[QUOTE_LEN];

	if (!type->is_set)
		return spec_error(c->kind, c->e,
				  "Parameter '%s.type' is missing", c->name);
	for (unsigned t = 0; t < SOCK_ADDR_N_TYPES; t++) {
		if (!strcmp(type->str, sock_addr_type_names[t])) {
			*tp = t;
			return 0;
		}
	}
	return spec_error(c->kind, c->e,
			  "Parameter '%s.type' does not accept value '%s'; "
			  "it is inet, unix or fd",
			  c->name, quote(q, type->str));
}

/* The members given are those of the type. */
static int addr_check_members(const struct addr_check *c,
			      enum sock_addr_type type)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;

	for (; m->opt.name; m++) {
		const struct value *v =
			&c->v->members[m - netdev_sockaddr_options];
		bool belongs = m->types & (1u << type);

		if (v->is_set && !belongs)
			return spec_error(c->kind, c->e,
					  "Parameter '%s.%s' is unexpected "
					  "with %s.type=%s",
					  c->name, m->opt.name, c->name,
					  sock_addr_type_names[type]);
		if (!v->is_set && belongs && (m->opt.flags & OPT_F_REQUIRED))
			return spec_error(c->kind, c->e,
					  "Parameter '%s.%s' is missing",
					  c->name, m->opt.name);
	}
	return 0;
}

static bool is_digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

int netdev_check_port(const struct netdev_kind *kind, const char *key,
		      const char *port, bool is_numeric, struct error *e)
{
	char q[QUOTE_LEN];
	bool has_digits = is_digits(port);

	if (has_digits && strlen(port) <= 5 && atoi(port) <= UINT16_MAX)
		return 0;
	if (!has_digits && !is_numeric && *port)
		return 0; /* the name of a service */
	return spec_error(kind, e,
			  "Parameter '%s' expects a number of at most "
			  "65535%s, not '%s'",
			  key, is_numeric ? "" : " or the name of a service",
			  quote(q, port));
}

static int addr_check_port(const struct addr_check *c)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.port", c->name);
	return netdev_check_port(c->kind, key, c->v->spec.port,
				 c->v->spec.numeric, c->e);
}

static int addr_fill_inet(const struct addr_check *c)
{
	struct sock_addr_spec *a = &c->v->spec;

	a->host = member(c, "host")->str;
	a->port = member(c, "port")->str;
	a->has_to = member(c, "to")->is_set;
	a->to = (uint16_t)member(c, "to")->u;
	a->ipv4 = tristate_of(member(c, "ipv4"));
	a->ipv6 = tristate_of(member(c, "ipv6"));
	a->numeric = member(c, "numeric")->b;
	a->mptcp = member(c, "mptcp")->b;
	a->keep_alive = tristate_of(member(c, "keep-alive"));
	a->keep_alive_count = (uint32_t)member(c, "keep-alive-count")->u;
	a->keep_alive_idle = (uint32_t)member(c, "keep-alive-idle")->u;
	a->keep_alive_interval = (uint32_t)member(c, "keep-alive-interval")->u;
	if (a->ipv4 == TRI_OFF && a->ipv6 == TRI_OFF)
		return spec_error(c->kind, c->e,
				  "Cannot disable IPv4 and IPv6 at same time "
				  "(%s.ipv4, %s.ipv6)",
				  c->name, c->name);
	if (addr_check_port(c) < 0)
		return -1;
	if (a->has_to && is_digits(a->port) && atoi(a->port) > a->to)
		return spec_error(c->kind, c->e,
				  "Parameter '%s.to' expects a port not below "
				  "%s.port",
				  c->name, c->name);
	return 0;
}

static int addr_fill_unix(const struct addr_check *c)
{
	struct sock_addr_spec *a = &c->v->spec;
	char q[QUOTE_LEN];

	a->path = member(c, "path")->str;
	a->is_abstract = member(c, "abstract")->b;
	a->is_tight = !member(c, "tight")->is_set || member(c, "tight")->b;
	if (!*a->path)
		return spec_error(c->kind, c->e,
				  "Parameter '%s.path' may not be empty",
				  c->name);
	if (strlen(a->path) > UNIX_PATH_MAX)
		return spec_error(c->kind, c->e,
				  "UNIX socket path '%s' is too long "
				  "(%s.path, at most %d bytes)",
				  quote(q, a->path), c->name,
				  (int)UNIX_PATH_MAX);
	return 0;
}

static bool fd_number(const char *text, size_t len, int *fdp)
{
	long n = 0;

	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		n = n * 10 + (text[i] - '0');
	}
	*fdp = (int)n;
	return true;
}

static int bad_fd(const struct netdev_kind *kind, const char *key,
		  const char *text, size_t len, struct error *e)
{
	char q[QUOTE_LEN];

	return spec_error(kind, e,
			  "Invalid file descriptor number '%s' (%s=; names "
			  "of QMP's getfd are not known here)",
			  quote_n(q, text, len), key);
}

static int addr_fill_fd(const struct addr_check *c)
{
	struct sock_addr_spec *a = &c->v->spec;
	char key[64];

	a->str = member(c, "str")->str;
	if (fd_number(a->str, strlen(a->str), &a->fd))
		return 0;
	snprintf(key, sizeof(key), "%s.str", c->name);
	return bad_fd(c->kind, key, a->str, strlen(a->str), c->e);
}

static int addr_check(const struct addr_check *c)
{
	struct sock_addr_spec *a = &c->v->spec;

	a->fd = -1;
	if (addr_find_type(c, &a->type) < 0 ||
	    addr_check_members(c, a->type) < 0)
		return -1;
	switch (a->type) {
	case SOCK_ADDR_INET:
		return addr_fill_inet(c);
	case SOCK_ADDR_UNIX:
		return addr_fill_unix(c);
	case SOCK_ADDR_FD:
		return addr_fill_fd(c);
	case SOCK_ADDR_VSOCK:
		return spec_error(c->kind, c->e,
				  "Parameter '%s.type=vsock' is not built yet; "
				  "inet, unix and fd are",
				  c->name);
	case SOCK_ADDR_N_TYPES:
		break;
	}
	return -1;
}

int netdev_check_addrs(struct netdev_spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_values; i++) {
		struct addr_check c = {
			.kind = s->kind,
			.name = s->kind->options[i].name,
			.v = s->values[i].addr,
			.e = e,
		};

		if (c.v && addr_check(&c) < 0)
			return -1;
	}
	return 0;
}

/* IFNAMSIZ and the characters that the kernel refuses. */
int netdev_check_ifname(const struct netdev_spec *s, const char *key,
			struct error *e)
{
	const char *name = spec_str(s, key);
	char q[QUOTE_LEN];

	if (!name)
		return 0;
	if (strlen(name) > IFNAME_MAX)
		return spec_error(s->kind, e,
				  "Parameter '%s' expects at most %d "
				  "characters, not '%s'",
				  key, IFNAME_MAX, quote(q, name));
	for (const char *p = name; *p; p++) {
		if (*p == '/' || *p == ':' || !isgraph((unsigned char)*p))
			name = "";
	}
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return spec_error(s->kind, e,
				  "Parameter '%s' expects the name of an "
				  "interface, not '%s'",
				  key, quote(q, spec_str(s, key)));
	return 0;
}

static int check_queues(const struct netdev_spec *s, struct error *e)
{
	uint64_t n = spec_u64(s, "queues");

	if (n == 0)
		return spec_error(s->kind, e,
				  "queues must be greater than zero");
	if (n > NETDEV_QUEUES_MAX)
		return spec_error(s->kind, e, "queues exceeds maximum %d",
				  NETDEV_QUEUES_MAX);
	return 0;
}

int netdev_check_fds(const struct netdev_spec *s, const char *key,
		     struct error *e)
{
	const char *p = spec_str(s, key);
	unsigned n = 0;
	int fd;

	for (; p; n++) {
		size_t len = strcspn(p, ":");

		if (!fd_number(p, len, &fd))
			return bad_fd(s->kind, key, p, len, e);
		p = p[len] ? p + len + 1 : NULL;
	}
	if (n > NETDEV_QUEUES_MAX)
		return spec_error(s->kind, e,
				  "Parameter '%s' has %u descriptors, the "
				  "maximum is %d",
				  key, n, NETDEV_QUEUES_MAX);
	return 0;
}

int netdev_check_fd(const struct netdev_spec *s, const char *key,
		    struct error *e)
{
	const char *text = spec_str(s, key);
	int fd;

	if (!text || fd_number(text, strlen(text), &fd))
		return 0;
	return bad_fd(s->kind, key, text, strlen(text), e);
}

/* vhost-net is not used, but what QEMU refuses is a mistake here too. */
static int check_vhost(const struct netdev_spec *s, struct error *e)
{
	unsigned expected = (unsigned)spec_u64(s, "queues"), got = 1;
	bool has_one = spec_has(s, "vhostfd");
	bool has_all = spec_has(s, "vhostfds");

	if (!has_one && !has_all)
		return 0;
	if (has_one && has_all)
		return spec_error(s->kind, e,
				  "vhostfd= and vhostfds= are mutual "
				  "exclusive");
	if (spec_has(s, "vhost") && !spec_bool(s, "vhost"))
		return spec_error(s->kind, e,
				  "vhostfd(s)= is not valid without vhost");
	if (netdev_check_fd(s, "vhostfd", e) < 0 ||
	    netdev_check_fds(s, "vhostfds", e) < 0)
		return -1;
	if (spec_has(s, "fds"))
		expected = spec_fds(s, "fds", NULL, 0);
	if (has_all)
		got = spec_fds(s, "vhostfds", NULL, 0);
	if (got != expected)
		return spec_error(s->kind, e, "expected %u socket fds, got %u",
				  expected, got);
	return 0;
}

static int check_tap(const struct netdev_spec *s, struct error *e)
{
	unsigned n_ways = spec_has(s, "queues") + spec_has(s, "helper") +
			  spec_has(s, "fds") + spec_has(s, "fd");
	bool is_made = !spec_has(s, "helper") && !spec_has(s, "fds") &&
		       !spec_has(s, "fd");

	if (n_ways > 1)
		return spec_error(s->kind, e,
				  "queues=, helper=, fds= and fd= are mutual "
				  "exclusive");
	if (!is_made && (spec_has(s, "ifname") || spec_has(s, "script") ||
			 spec_has(s, "downscript") || spec_has(s, "vnet_hdr")))
		return spec_error(s->kind, e,
				  "ifname=, script=, downscript=, vnet_hdr= "
				  "are invalid with fd=/fds=/helper=");
	if (spec_u64(s, "sndbuf") > INT_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'sndbuf' expects at most %d bytes",
				  INT_MAX);
	if (spec_has(s, "br") && !spec_has(s, "helper"))
		return spec_error(s->kind, e,
				  "br= is for helper=; bridge,br=%s puts a tap "
				  "on a bridge",
				  spec_str(s, "br"));
	if (spec_has(s, "helper") && !*spec_str(s, "helper"))
		return spec_error(s->kind, e,
				  "Parameter 'helper' may not be empty");
	if (check_queues(s, e) < 0 || netdev_check_ifname(s, "ifname", e) < 0 ||
	    netdev_check_ifname(s, "br", e) < 0 ||
	    netdev_check_fd(s, "fd", e) < 0 ||
	    netdev_check_fds(s, "fds", e) < 0)
		return -1;
	return check_vhost(s, e);
}

static int check_netns(const struct netdev_spec *s, struct error *e)
{
	if (spec_has(s, "path") == spec_has(s, "pid"))
		return spec_error(s->kind, e,
				  "exactly one of path= and pid= is required");
	if (spec_has(s, "path") && !*spec_str(s, "path"))
		return spec_error(s->kind, e,
				  "Parameter 'path' may not be empty");
	if (spec_has(s, "pid") &&
	    (!spec_u64(s, "pid") || spec_u64(s, "pid") > INT_MAX))
		return spec_error(s->kind, e,
				  "Parameter 'pid' expects the number of a "
				  "process");
	if (netdev_check_mac(s, e) < 0 || check_queues(s, e) < 0)
		return -1;
	return netdev_check_ifname(s, "ifname", e);
}

/* The address of a peer: it is for connecting, not for listening. */
static int check_peer(const struct netdev_spec *s, const char *key,
		      struct error *e)
{
	const struct sock_addr_spec *a = spec_addr(s, key);

	if (!a || a->type != SOCK_ADDR_INET)
		return 0;
	if (a->has_to)
		return spec_error(s->kind, e,
				  "Parameter '%s.to' is for a server, which "
				  "this is not",
				  key);
	if (!*a->host)
		return spec_error(s->kind, e,
				  "Parameter '%s.host' may not be empty, it "
				  "names the peer",
				  key);
	if (!strcmp(a->port, "0"))
		return spec_error(s->kind, e,
				  "Parameter '%s.port' may not be 0, it names "
				  "the peer",
				  key);
	return 0;
}

static int check_stream(const struct netdev_spec *s, struct error *e)
{
	if (spec_bool(s, "server") && spec_u64(s, "reconnect-ms"))
		return spec_error(s->kind, e,
				  "'reconnect-ms' option is incompatible with "
				  "socket in server mode");
	if (spec_bool(s, "server"))
		return 0;
	if (spec_has(s, "max"))
		return spec_error(s->kind, e,
				  "Parameter 'max' is only valid with "
				  "server=on");
	return check_peer(s, "addr", e);
}

static int check_vhost_user(const struct netdev_spec *s, struct error *e)
{
	uint64_t n_queues = spec_u64(s, "queues");

	if (spec_has(s, "chardev"))
		return spec_error(s->kind, e,
				  "chardev= %s",
				  netdev_option_find(s->kind, "chardev")->does);
	if (spec_has(s, "path") == spec_has(s, "fd"))
		return spec_error(s->kind, e,
				  "one of path= and fd= is required");
	if (spec_has(s, "path") && !*spec_str(s, "path"))
		return spec_error(s->kind, e,
				  "Parameter 'path' may not be empty");
	if (spec_u64(s, "reconnect-ms") &&
	    (spec_bool(s, "server") || spec_has(s, "fd")))
		return spec_error(s->kind, e,
				  "'reconnect-ms' is for a client with path=");
	if (!n_queues || n_queues > NETDEV_PAIRS_MAX)
		return spec_error(s->kind, e,
				  "number of queues must be in range [1, %d]",
				  NETDEV_PAIRS_MAX);
	return netdev_check_fd(s, "fd", e);
}

static bool is_multicast(const struct sock_addr_spec *a)
{
	addr ip;

	return a->type == SOCK_ADDR_INET && addr_parse(a->host, &ip) &&
	       addr_is_multicast(&ip);
}

/* remote= is given, and is not a multicast group. */
static int check_dgram_unicast(const struct netdev_spec *s,
			       const struct sock_addr_spec *local,
			       const struct sock_addr_spec *remote,
			       struct error *e)
{
	if (!local)
		return spec_error(s->kind, e,
				  "dgram requires local= parameter");
	if (local->type == SOCK_ADDR_FD)
		return spec_error(s->kind, e, "don't set remote with local.fd");
	if (local->type != remote->type)
		return spec_error(s->kind, e,
				  "remote and local types must be the same");
	if (local->type == SOCK_ADDR_INET && local->has_to)
		return spec_error(s->kind, e,
				  "Parameter 'local.to' is for stream servers");
	return check_peer(s, "remote", e);
}

/* Reference 1.4; what QEMU takes and gets wrong is refused here. */
static int check_dgram(const struct netdev_spec *s, struct error *e)
{
	const struct sock_addr_spec *local = spec_addr(s, "local");
	const struct sock_addr_spec *remote = spec_addr(s, "remote");

	if (!local && !remote)
		return spec_error(s->kind, e,
				  "dgram requires local= parameter");
	if (!remote && local->type != SOCK_ADDR_FD)
		return spec_error(s->kind, e,
				  "type=inet or type=unix requires remote "
				  "parameter");
	if (!remote)
		return 0;
	if (!is_multicast(remote))
		return check_dgram_unicast(s, local, remote, e);
	if (local && local->type != SOCK_ADDR_INET &&
	    local->type != SOCK_ADDR_FD)
		return spec_error(s->kind, e,
				  "only support inet or fd type for local");
	return check_peer(s, "remote", e);
}

static int check_user(const struct netdev_spec *s, struct error *e)
{
	const struct user_families on = netdev_user_families(s);

	if (!on.v4 && (spec_has(s, "net") || spec_has(s, "ip") ||
		       spec_has(s, "host") || spec_has(s, "dns")))
		return spec_error(s->kind, e,
				  "IPv4 disabled but netmask/host/dns "
				  "provided");
	if (!on.v6 && (spec_has(s, "ipv6-net") || spec_has(s, "ipv6-prefix") ||
		       spec_has(s, "ipv6-host") || spec_has(s, "ipv6-dns") ||
		       spec_has(s, "ipv6-router")))
		return spec_error(s->kind, e,
				  "IPv6 disabled but prefix/host6/dns6 "
				  "provided");
	if (!on.v4 && !on.v6)
		return spec_error(s->kind, e, "IPv4 and IPv6 disabled");
	return netdev_check_mac(s, e);
}

static int check_socket(const struct netdev_spec *s, struct error *e)
{
	struct socket_opts o;

	return socket_opts_get(s, &o, e);
}

static int check_vde(const struct netdev_spec *s, struct error *e)
{
	struct vde_opts o;

	return vde_opts_get(s, &o, e);
}

int netdev_check(const struct netdev_spec *s, struct error *e)
{
	static const struct {
		const char *kind;
		int (*check)(const struct netdev_spec *s, struct error *e);
	} checks[] = {
		{"user", check_user},
		{"tap", check_tap},
		{"netns", check_netns},
		{"stream", check_stream},
		{"dgram", check_dgram},
		{"vhost-user", check_vhost_user},
		{"socket", check_socket},
		{"vde", check_vde},
		{"bridge", netdev_check_bridge},
		{"hostif", netdev_check_hostif},
		{"router", netdev_check_router},
		{"macvtap", netdev_check_macvtap},
		{"packet", netdev_check_packet},
		{"passt", netdev_check_passt},
		{"af-xdp", netdev_check_af_xdp},
		{"l2tpv3", netdev_check_l2tpv3},
		{"vxlan", netdev_check_vxlan},
	};

	for (size_t i = 0; i < array_len(checks); i++) {
		if (!strcmp(checks[i].kind, s->kind->name))
			return checks[i].check(s, e);
	}
	return 0;
}
