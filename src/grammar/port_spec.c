/* SPDX-License-Identifier: BSD-3-Clause */
/* Port forwards in three spellings; called by commands and keeper. */
#include "grammar/port_spec.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/number.h"

enum {
	FIELD_LEN = 256, /* QEMU's limit of one field, with NUL */
	RULE_LEN = 1024, /* and of a whole rule */
	WHY_LEN = 160,	 /* of a reason */
};

static int bad_rule(const char *text, const char *why, struct error *e)
{
	char q[QUOTE_LEN];

	return error_set(e, EXIT_USAGE,
			 "Invalid host forwarding rule '%s' (%s)",
			 quote(q, text), why);
}

/* Copies the text up to sep into field and moves *pp behind it. */
static bool take_field(const char **pp, char sep, char field[FIELD_LEN])
{
	const char *at = strchr(*pp, sep);
	size_t len;

	if (!at)
		return false;
	len = (size_t)(at - *pp);
	if (len >= FIELD_LEN)
		return false;
	memcpy(field, *pp, len);
	field[len] = '\0';
	*pp = at + 1;
	return true;
}

void port_rule_localhost(struct port_rule *r)
{
	r->is_localhost = true;
	r->has_host_ip = true;
	r->host_ip = addr_v4(127, 0, 0, 1);
}

static const char no_interface[] =
	"binding to an interface (%) is not built yet; listen on [::]";

/* The address in brackets at *pp, which is then behind it; returns why nobody
 * listens there, or NULL. */
static const char *take_host6(const char **pp, struct port_rule *r)
{
	const char *p = *pp;

	if (p[strcspn(p, "]%")] == '%')
		return no_interface;
	if (!ip6_take(pp, &r->host_ip))
		return "";
	r->has_host_ip = true;
	if (addr_is_link_local6(&r->host_ip))
		return "fe80::/10 means another one on each interface; listen "
		       "on [::]";
	if (addr_is_multicast(&r->host_ip))
		return "a group's, which nobody listens on alone; listen on "
		       "[::]";
	return NULL;
}

static bool hostfwd_port(const char *text, unsigned least, uint16_t *portp)
{
	uint64_t n;
	bool too_big;

	if (!number_parse(text, UINT16_MAX, &n, &too_big) || n < least)
		return false;
	*portp = (uint16_t)n;
	return true;
}

/* "[GUESTADDR]:GUESTPORT"; returns why not, or NULL. */
static const char *hostfwd_guest(const char *p, struct port_rule *r)
{
	char field[FIELD_LEN];
	bool is_v6 = *p == '[';

	if (is_v6 &&
	    (!ip6_take(&p, &r->guest_ip) || addr_is_unspecified(&r->guest_ip)))
		return "Bad guest address";
	if (!take_field(&p, ':', field))
		return "Missing guest address";
	if (*field && (is_v6 || !ip4_parse(field, &r->guest_ip)))
		return "Bad guest address";
	if (!hostfwd_port(p, 1, &r->guest_lo))
		return "Bad guest port";
	return NULL;
}

/* "unix:PATH-GUEST", split at the last '-'. */
static const char *hostfwd_unix(const char *path, struct port_rule *r)
{
	const char *dash = strrchr(path, '-');

	if (!dash)
		return "Missing - separator";
	if (dash == path)
		return "Missing unix socket path";
	if (*path != '/')
		return "unix socket path must be absolute";
	if ((size_t)(dash - path) >= sizeof(r->unix_path))
		return "Unix socket path is too long";
	memcpy(r->unix_path, path, (size_t)(dash - path));
	return hostfwd_guest(dash + 1, r);
}

/* "[HOSTADDR]:", *pp is left behind it; returns why not, or NULL.  why is
 * room for that. */
static const char *hostfwd_host(const char **pp, struct port_rule *r,
				char why[WHY_LEN])
{
	char field[FIELD_LEN];
	bool is_v6 = **pp == '[';
	const char *bad = is_v6 ? take_host6(pp, r) : NULL;

	if (bad) {
		snprintf(why, WHY_LEN, "Bad host address%s%s",
			 *bad ? ": " : "", bad);
		return why;
	}
	if (!take_field(pp, ':', field))
		return "Missing : separator";
	if (is_v6)
		return *field ? "Bad host address" : NULL;
	r->has_host_ip = *field;
	if (strcmp(field, "localhost") == 0)
		port_rule_localhost(r);
	else if (*field && !ip4_parse(field, &r->host_ip))
		return "Bad host address";
	return NULL;
}

static const char *hostfwd_inet(const char *p, struct port_rule *r,
				char room[WHY_LEN])
{
	char field[FIELD_LEN];
	const char *why;

	if (!take_field(&p, ':', field))
		return "No : separators";
	if (!strcmp(field, "udp"))
		r->proto = IPPROTO_UDP;
	else if (*field && strcmp(field, "tcp"))
		return "Bad protocol name";
	why = hostfwd_host(&p, r, room);
	if (why)
		return why;
	if (!take_field(&p, '-', field))
		return "Bad host port separator";
	if (!hostfwd_port(field, 0, &r->host_lo))
		return "Bad host port";
	r->host_hi = r->host_lo;
	return hostfwd_guest(p, r);
}

int hostfwd_parse(const char *text, struct port_rule *rulep, struct error *e)
{
	struct port_rule r = {
		.proto = IPPROTO_TCP,
		.host_ip = addr_v4(0, 0, 0, 0),
	};
	char room[WHY_LEN];
	const char *why;

	if (strlen(text) >= RULE_LEN)
		return bad_rule(text, "it is too long", e);
	if (!strncmp(text, "unix:", 5))
		why = hostfwd_unix(text + 5, &r);
	else
		why = hostfwd_inet(text, &r, room);
	if (why)
		return bad_rule(text, why, e);
	*rulep = r;
	return 0;
}

/* A spec of -p while it is read. */
struct port_parser {
	struct port_rule *rules; /* the caller's */
	unsigned max, n;
	bool has_ip; /* passt's ADDRESS/ in front of the whole list */
	addr ip;
	bool is_localhost;
	struct error *e;
};

static int bad_item(const struct port_parser *p, const char *item,
		    const char *why)
{
	char q[QUOTE_LEN];

	return error_set(p->e, EXIT_USAGE, "port spec '%s': %s", quote(q, item),
			 why);
}

/* Decimal, 1..65535. */
static bool port_number(const char *text, size_t len, uint16_t *portp)
{
	unsigned n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	if (n < 1 || n > UINT16_MAX)
		return false;
	*portp = (uint16_t)n;
	return true;
}

/* "N" or "LO-HI"; returns why not, or NULL. */
static const char *port_range(const char *text, uint16_t *lop, uint16_t *hip)
{
	static const char bad[] = "a port is a number from 1 to 65535, a range "
				  "is LOW-HIGH";
	size_t len = strcspn(text, "-");

	if (!port_number(text, len, lop))
		return bad;
	*hip = *lop;
	if (text[len] &&
	    !port_number(text + len + 1, strlen(text + len + 1), hip))
		return bad;
	return *lop > *hip ? "the range runs backwards" : NULL;
}

/* "HOST:GUEST" or "PORT", each a range; a host part that is empty or 0 is
 * "any". */
static const char *port_pair(char *text, struct port_rule *r)
{
	char *colon = strchr(text, ':');
	uint16_t guest_hi;
	const char *why;

	if (colon && strchr(colon + 1, ':'))
		return "there are too many ':'; it is "
		       "[ADDRESS:]HOSTPORT:GUESTPORT[/udp]";
	if (!colon && !strcmp(text, "0"))
		return "port 0 is any of the host's; name the guest's, 0:PORT";
	if (colon)
		*colon = '\0';
	why = port_range(colon ? colon + 1 : text, &r->guest_lo, &guest_hi);
	if (why)
		return why;
	r->host_lo = r->guest_lo;
	r->host_hi = guest_hi;
	if (colon == text || !strcmp(text, "0")) {
		/* 0:PORT, Docker's ADDRESS::PORT: the kernel picks */
		r->host_lo = r->host_hi = 0;
		return r->guest_lo == guest_hi
			       ? NULL
			       : "a range needs its host ports named";
	}
	why = colon ? port_range(text, &r->host_lo, &r->host_hi) : NULL;
	if (why)
		return why;
	if (r->host_hi - r->host_lo != guest_hi - r->guest_lo)
		return "the two ranges differ in length";
	return NULL;
}

static const char *host_address(const char *text, struct port_rule *r)
{
	if (strchr(text, '%'))
		return "binding to an interface (%) is not built yet";
	if (strcmp(text, "localhost") == 0) {
		port_rule_localhost(r);
		return NULL;
	}
	if (!addr_parse(text, &r->host_ip))
		return "the host address is not an IPv4 address";
	r->has_host_ip = true;
	return NULL;
}

/* Takes "[IPV6]" or "IPV4" with the separator behind it off the front. */
static const char *take_address(char **textp, char sep, struct port_rule *r)
{
	char *text = *textp, *end;

	if (*text == '[') {
		const char *p = text, *bad;

		end = strchr(text, ']');
		if (!end || end[1] != sep)
			return "'[' without its ']'";
		*textp = end + 2;
		bad = take_host6(&p, r);
		return !bad || *bad ? bad
				    : "the host address is not an IPv6 address";
	}
	end = strchr(text, sep);
	*end = '\0';
	*textp = end + 1;
	return host_address(text, r);
}

/* Takes a "/tcp" or "/udp" off the end, and an "ADDRESS/" off the front. */
static const char *take_slashes(struct port_parser *p, char **textp,
				struct port_rule *r)
{
	char *slash = strrchr(*textp, '/');
	const char *why;

	if (slash && (!strcmp(slash, "/tcp") || !strcmp(slash, "/udp"))) {
		r->proto = slash[1] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
		*slash = '\0';
		slash = strrchr(*textp, '/');
	}
	if (!slash)
		return NULL;
	if (isalpha((unsigned char)slash[1]) || !slash[1])
		return "the protocol behind '/' is neither tcp nor udp";
	why = take_address(textp, '/', r);
	if (why)
		return why;
	p->has_ip = true;
	p->ip = r->host_ip;
	p->is_localhost = r->is_localhost;
	return strchr(*textp, '/') ? "there are too many '/'" : NULL;
}

/* True if text is ADDRESS:HOSTPORT:GUESTPORT. */
static bool has_address(const char *text)
{
	const char *colon = strchr(text, ':');

	return *text == '[' || (colon && strchr(colon + 1, ':'));
}

static const char localhost[] = "localhost";

static const char *parse_plain(struct port_parser *p, char *text,
			       struct port_rule *r)
{
	const char *why;

	if (strchr(text, '~'))
		return "exclusions (~) are not built yet; name the ports";
	if (!strcmp(text, "auto") || !strcmp(text, "all") ||
	    !strcmp(text, "none"))
		return "this word of passt is not built yet; name the ports";
	if (isalpha((unsigned char)*text) &&
	    strncmp(text, localhost, sizeof(localhost) - 1) != 0)
		return "it begins with neither a port, an address, tcp: nor "
		       "udp:";
	why = take_slashes(p, &text, r);
	if (why)
		return why;
	if (has_address(text)) {
		if (r->has_host_ip)
			return "the host address is given twice";
		why = take_address(&text, ':', r);
		if (why)
			return why;
	} else if (strchr(text, '.') || isalpha((unsigned char)*text)) {
		return "an address is followed by two ports, "
		       "ADDRESS:HOSTPORT:GUESTPORT";
	} else if (*text == ':') {
		return "the host port is missing";
	}
	return port_pair(text, r);
}

/* Whether an address of IPv6 begins it, without brackets. */
static bool has_bare6(const char *item)
{
	char text[FIELD_LEN];
	size_t n = strcspn(item, "-/");
	unsigned colons = 0;
	addr ip;

	if (n >= sizeof(text))
		return false;
	memcpy(text, item, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		colons += text[i] == ':';
	return colons >= 7 || (colons > 2 && strstr(text, "::")) ||
	       (item[n] == '/' && ip6_parse(text, &ip));
}

/* As QEMU's begin; it may also be left out in front of the ':'. */
static bool is_proto(const char *item)
{
	return !strncmp(item, "tcp:", 4) || !strncmp(item, "udp:", 4) ||
	       !strncmp(item, "unix:", 5);
}

/* Whoever has all addresses of a family has each. */
static bool shares_address(const addr *a, const addr *b)
{
	return addr_is_v4(a) == addr_is_v4(b) &&
	       (addr_eq(a, b) || addr_is_unspecified(a) ||
		addr_is_unspecified(b));
}

/* Whether they listen at one address; localhost is two. */
static bool shares_host(const struct port_rule *a, const struct port_rule *b)
{
	static const addr one6 = {{[15] = 1}};

	return shares_address(&a->host_ip, &b->host_ip) ||
	       (a->is_localhost && shares_address(&one6, &b->host_ip)) ||
	       (b->is_localhost && shares_address(&one6, &a->host_ip));
}

bool port_rule_overlaps(const struct port_rule *a, const struct port_rule *b)
{
	if (*a->unix_path || *b->unix_path)
		return !strcmp(a->unix_path, b->unix_path);
	return a->proto == b->proto && a->host_lo &&
	       a->has_host_ip == b->has_host_ip && shares_host(a, b) &&
	       a->host_lo <= b->host_hi && b->host_lo <= a->host_hi;
}

/* "unix:/PATH:PORT", which is no form of QEMU's.  False: nor is it this. */
static bool take_unix(const char *item, struct port_rule *r)
{
	const char *path = item + 5, *colon = strrchr(path, ':');
	size_t len = colon ? (size_t)(colon - path) : 0;

	if (strncmp(item, "unix:", 5) != 0 || *path != '/' || len < 2 ||
	    len >= sizeof(r->unix_path) || colon[-1] == '-' ||
	    !port_number(colon + 1, strlen(colon + 1), &r->guest_lo))
		return false;
	memcpy(r->unix_path, path, len);
	r->unix_path[len] = '\0';
	return true;
}

/* As the netdev user's hostfwd=, where a path may be told from its guest by a
 * ':' as well: the former is what is tried first. */
static int parse_qemu(const char *item, struct port_rule *r, struct error *e)
{
	struct error why = ERROR_NULL;

	if (hostfwd_parse(item, r, &why) == 0 || take_unix(item, r))
		return 0;
	return error_set(e, why.code, "%s", why.text);
}

static int add_item(struct port_parser *p, const char *item)
{
	struct port_rule r = {
		.proto = IPPROTO_TCP,
		.host_ip = addr_v4(0, 0, 0, 0),
	};
	char text[FIELD_LEN];
	const char *why;

	if (!*item)
		return bad_item(p, item, "an item is empty");
	if (*item != '[' && !is_proto(item) && has_bare6(item))
		return bad_item(p, item,
				"an IPv6 address is written in brackets, "
				"[ADDRESS]:HOSTPORT:GUESTPORT");
	if (*item == ':' || is_proto(item)) {
		if (parse_qemu(item, &r, p->e) < 0)
			return -1;
	} else {
		if (strlen(item) >= sizeof(text))
			return bad_item(p, item, "it is too long");
		memcpy(text, item, strlen(item) + 1);
		why = parse_plain(p, text, &r);
		if (why)
			return bad_item(p, item, why);
	}
	if (!r.has_host_ip && p->has_ip && !*r.unix_path) {
		r.has_host_ip = true;
		r.host_ip = p->ip;
		r.is_localhost = p->is_localhost;
	}
	for (unsigned i = 0; i < p->n; i++) {
		if (port_rule_overlaps(&p->rules[i], &r))
			return bad_item(p, item,
					"its host port is named twice");
	}
	if (p->n == p->max)
		return bad_item(p, item, "there are too many forwards");
	p->rules[p->n++] = r;
	return 0;
}

int port_spec_parse(const char *text, struct port_rule *rules, unsigned max,
		    unsigned *np, struct error *e)
{
	struct port_parser p = {.rules = rules, .max = max, .e = e};
	char item[RULE_LEN];

	for (;;) {
		size_t len = strcspn(text, ",");

		if (len >= sizeof(item))
			return bad_item(&p, text, "it is too long");
		memcpy(item, text, len);
		item[len] = '\0';
		if (add_item(&p, item) < 0)
			return -1;
		if (!text[len])
			break;
		text += len + 1;
	}
	*np = p.n;
	return 0;
}

/* As it is in front of a port. */
static void put_address(const addr *a, char buf[ADDR_STRLEN + 2])
{
	char text[ADDR_STRLEN];

	snprintf(buf, ADDR_STRLEN + 2, addr_is_v4(a) ? "%s" : "[%s]",
		 addr_format(a, text));
}

const char *port_rule_format(const struct port_rule *r, char *buf)
{
	const char *proto = r->proto == IPPROTO_UDP ? "udp" : "tcp";
	char host[ADDR_STRLEN + 2] = "", guest[ADDR_STRLEN + 2] = "";

	if (r->is_localhost)
		memcpy(host, localhost, sizeof(localhost));
	else if (r->has_host_ip)
		put_address(&r->host_ip, host);
	if (!addr_is_unspecified(&r->guest_ip))
		put_address(&r->guest_ip, guest);
	if (*r->unix_path)
		snprintf(buf, PORT_RULE_STRLEN, "unix:%s-%s:%u", r->unix_path,
			 guest, r->guest_lo);
	else if (r->host_lo == r->host_hi)
		snprintf(buf, PORT_RULE_STRLEN, "%s:%s:%u-%s:%u", proto, host,
			 r->host_lo, guest, r->guest_lo);
	else
		snprintf(buf, PORT_RULE_STRLEN, "%s%s%u-%u:%u-%u/%s", host,
			 *host ? ":" : "", r->host_lo, r->host_hi, r->guest_lo,
			 (unsigned)(r->guest_lo + r->host_hi - r->host_lo),
			 proto);
	return buf;
}
