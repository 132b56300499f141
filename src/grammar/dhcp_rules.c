/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCP's options and reservations as text; see dhcp_rules.h. */
#include "grammar/dhcp_rules.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "grammar/nearest.h"
#include "grammar/number.h"

/* What the value of an option is.  Several are parted by '+'. */
enum value {
	VALUE_ADDRS, /* of the option's family */
	VALUE_TEXT,
	VALUE_U8,
	VALUE_U16,
	VALUE_U32,
	VALUE_HEX,
	VALUE_NAMES,  /* of DNS, RFC 1035 3.1 */
	VALUE_ROUTES, /* RFC 3442 */
	VALUE_NTP6,
	VALUE_TEXTS6, /* each behind its length, of 16 bits */
};

struct known {
	const char *name;
	uint16_t code;
	enum value value;
};

/* By IANA's registry, in the words of other servers. */
static const struct known known4[] = {
	{"time-offset", 2, VALUE_U32},
	{"router", 3, VALUE_ADDRS},
	{"time-server", 4, VALUE_ADDRS},
	{"dns-server", 6, VALUE_ADDRS},
	{"log-server", 7, VALUE_ADDRS},
	{"lpr-server", 9, VALUE_ADDRS},
	{"hostname", 12, VALUE_TEXT},
	{"boot-file-size", 13, VALUE_U16},
	{"domain-name", 15, VALUE_TEXT},
	{"swap-server", 16, VALUE_ADDRS},
	{"root-path", 17, VALUE_TEXT},
	{"extension-path", 18, VALUE_TEXT},
	{"ip-forward-enable", 19, VALUE_U8},
	{"default-ttl", 23, VALUE_U8},
	{"mtu", 26, VALUE_U16},
	{"broadcast", 28, VALUE_ADDRS},
	{"router-discovery", 31, VALUE_U8},
	{"static-route", 33, VALUE_ADDRS},
	{"arp-timeout", 35, VALUE_U32},
	{"tcp-ttl", 37, VALUE_U8},
	{"tcp-keepalive", 38, VALUE_U32},
	{"nis-domain", 40, VALUE_TEXT},
	{"nis-server", 41, VALUE_ADDRS},
	{"ntp-server", DHCP_CODE_NTP, VALUE_ADDRS},
	{"vendor-encap", 43, VALUE_HEX},
	{"netbios-ns", 44, VALUE_ADDRS},
	{"netbios-dd", 45, VALUE_ADDRS},
	{"netbios-nodetype", 46, VALUE_U8},
	{"netbios-scope", 47, VALUE_TEXT},
	{"x-windows-fs", 48, VALUE_ADDRS},
	{"x-windows-dm", 49, VALUE_ADDRS},
	{"vendor-class", 60, VALUE_TEXT},
	{"nisplus-domain", 64, VALUE_TEXT},
	{"nisplus-server", 65, VALUE_ADDRS},
	{"tftp-server", 66, VALUE_TEXT},
	{"bootfile-name", 67, VALUE_TEXT},
	{"mobile-ip-home", 68, VALUE_ADDRS},
	{"smtp-server", 69, VALUE_ADDRS},
	{"pop3-server", 70, VALUE_ADDRS},
	{"nntp-server", 71, VALUE_ADDRS},
	{"www-server", 72, VALUE_ADDRS},
	{"irc-server", 74, VALUE_ADDRS},
	{"ldap-server", 95, VALUE_TEXT},
	{"posix-timezone", 100, VALUE_TEXT},
	{"tz-timezone", 101, VALUE_TEXT},
	{"ipv6-only", 108, VALUE_U32},
	{"captive-portal", 114, VALUE_TEXT},
	{"auto-configure", 116, VALUE_U8},
	{"domain-search", 119, VALUE_NAMES},
	{"classless-static-route", DHCP_CODE_ROUTES, VALUE_ROUTES},
	{"vendor-specific", 125, VALUE_HEX},
	{"tftp-server-address", 150, VALUE_ADDRS},
	{"config-file", 209, VALUE_TEXT},
	{"path-prefix", 210, VALUE_TEXT},
	{"reboot-time", 211, VALUE_U32},
	{"wpad", 252, VALUE_TEXT},
};

static const struct known known6[] = {
	{"vendor-specific", 17, VALUE_HEX},
	{"sip-server-domain", 21, VALUE_NAMES},
	{"sip-server", 22, VALUE_ADDRS},
	{"dns-server", 23, VALUE_ADDRS},
	{"domain-search", 24, VALUE_NAMES},
	{"nis-server", 27, VALUE_ADDRS},
	{"nisplus-server", 28, VALUE_ADDRS},
	{"nis-domain", 29, VALUE_NAMES},
	{"nisplus-domain", 30, VALUE_NAMES},
	{"sntp-server", DHCP_CODE6_SNTP, VALUE_ADDRS},
	{"information-refresh-time", 32, VALUE_U32},
	{"posix-timezone", 41, VALUE_TEXT},
	{"tz-timezone", 42, VALUE_TEXT},
	{"ntp-server", DHCP_CODE6_NTP, VALUE_NTP6},
	{"bootfile-url", 59, VALUE_TEXT},
	{"bootfile-param", 60, VALUE_TEXTS6},
	{"captive-portal", 103, VALUE_TEXT},
};

/* What a value says of itself where its option is given by number. */
static const struct {
	const char *word;
	enum value value;
} typed[] = {
	{"ip:", VALUE_ADDRS}, {"text:", VALUE_TEXT}, {"u8:", VALUE_U8},
	{"u16:", VALUE_U16},  {"u32:", VALUE_U32},   {"hex:", VALUE_HEX},
};

/* The servers' own: each is part of how the protocol runs. */
static const uint8_t own4[] = {0,  1,  50, 51, 52, 53, 54,
			       55, 57, 58, 59, 61, 82, 255};
static const uint8_t own6[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 11,
			       12, 13, 14, 16, 18, 19, 20, 25, 26, 39};

__attribute__((format(printf, 4, 5))) static int
fail(struct error *e, const char *key, const char *text, const char *fmt, ...)
{
	char q[QUOTE_LEN], why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return error_set(e, EXIT_USAGE, "%s=%s: %s", key, quote(q, text), why);
}

/* ---- who ---- */

/* Digits in pairs, ':' between them or not, n characters; *lenp bytes. */
static bool parse_hex(const char *text, size_t n, uint8_t *p, size_t room,
		      size_t *lenp)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i += 2) {
		int hi, lo;

		if (text[i] == ':' && len)
			i++;
		if (n - i < 2 || len == room)
			return false;
		hi = hex_digit(text[i]);
		lo = hex_digit(text[i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		p[len++] = (uint8_t)(hi << 4 | lo);
	}
	*lenp = len;
	return len > 0;
}

static bool is_host_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)p[i]) && !strchr("-._", p[i]))
			return false;
	}
	return n && n < DHCP_NAME_LEN && p[0] != '-' && p[0] != '.';
}

static bool parse_who(const char *text, size_t n, struct dhcp_who *w)
{
	static const struct {
		const char *word;
		enum dhcp_who_kind kind;
		size_t min;
	} words[] = {{"id:", DHCP_WHO_ID, 2}, {"duid:", DHCP_WHO_DUID, 3}};
	char buf[MAC_STRLEN];
	size_t len;
	mac m;

	*w = (struct dhcp_who){.kind = DHCP_WHO_MAC, .len = MAC_LEN};
	if (n == MAC_STRLEN - 1) {
		memcpy(buf, text, n);
		buf[n] = '\0';
		if (mac_parse(buf, &m)) {
			memcpy(w->b, m.b, MAC_LEN);
			return !mac_is_zero(m) && !mac_is_group(m);
		}
	}
	for (size_t i = 0; i < array_len(words); i++) {
		size_t skip = strlen(words[i].word);

		if (n < skip || strncmp(text, words[i].word, skip) != 0)
			continue;
		w->kind = words[i].kind;
		if (!parse_hex(text + skip, n - skip, w->b, sizeof(w->b), &len))
			return false;
		w->len = (uint8_t)len;
		return len >= words[i].min;
	}
	if (n < 5 || strncmp(text, "name:", 5) != 0 ||
	    !is_host_name(text + 5, n - 5))
		return false;
	w->kind = DHCP_WHO_NAME;
	w->len = (uint8_t)(n - 5);
	for (size_t i = 0; i < w->len; i++)
		w->b[i] = (uint8_t)tolower((unsigned char)text[5 + i]);
	return true;
}

/* ---- values ---- */

/* Copies the next of the parts of *pp, which are parted by '+', into buf; NULL
 * at their end, or if it is too long (*pp is not at its end then). */
static const char *next_part(const char **pp, char *buf, size_t room)
{
	size_t n = strcspn(*pp, "+");

	if (!n || n >= room)
		return NULL;
	memcpy(buf, *pp, n);
	buf[n] = '\0';
	*pp += n;
	if (**pp == '+' && (*pp)[1])
		(*pp)++;
	return buf;
}

static bool put_addr(struct wr *w, const char *text, bool is_v6)
{
	addr a;

	if (!addr_parse(text, &a) || addr_is_v4(&a) == is_v6)
		return false;
	wr_bytes(w, is_v6 ? a.b : a.b + 12, is_v6 ? 16 : 4);
	return true;
}

/* Labels of 1 to 63 bytes and the root's, 255 bytes at most. */
static bool put_name(struct wr *w, const char *text)
{
	size_t n = strlen(text), label;

	if (n && text[n - 1] == '.')
		n--;
	if (!n || n > 253)
		return false;
	for (const char *p = text; p < text + n; p += label + 1) {
		label = strcspn(p, ".");
		if (label > (size_t)(text + n - p))
			label = (size_t)(text + n - p);
		if (!label || label > 63)
			return false;
		wr_u8(w, (uint8_t)label);
		wr_bytes(w, p, label);
	}
	wr_u8(w, 0);
	return true;
}

static bool put_ntp6(struct wr *w, const char *text)
{
	addr a;

	if (!addr_parse(text, &a) || addr_is_v4(&a))
		return false;
	dhcp_ntp6_emit(w, &a);
	return true;
}

void dhcp_route_emit(struct wr *w, const struct prefix *to, const addr *via)
{
	unsigned len = prefix_len(to);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, to->ip.b + 12, (len + 7) / 8);
	wr_bytes(w, via->b + 12, 4);
}

static bool put_route(struct wr *w, const char *text, bool *is_allp)
{
	char buf[ADDR_STRLEN];
	const char *slash = strchr(text, '/'), *last = strrchr(text, '/');
	struct prefix to, net;
	uint64_t len;
	bool too_big;
	addr ip, via;

	if (!slash || slash == last || slash - text >= (long)sizeof(buf) ||
	    last - slash > 3)
		return false;
	snprintf(buf, sizeof(buf), "%.*s", (int)(slash - text), text);
	if (!addr_parse(buf, &ip) || !addr_is_v4(&ip) ||
	    !addr_parse(last + 1, &via) || !addr_is_v4(&via))
		return false;
	snprintf(buf, sizeof(buf), "%.*s", (int)(last - slash - 1), slash + 1);
	if (buf[strspn(buf, "0123456789")] ||
	    !number_parse(buf, 32, &len, &too_big))
		return false;
	to = prefix_of(&ip, (unsigned)len);
	net = prefix_network(&to);
	if (!addr_eq(&net.ip, &ip))
		return false;
	*is_allp = !len;
	dhcp_route_emit(w, &to, &via);
	return true;
}

static bool put_text6(struct wr *w, const char *text)
{
	wr_u16(w, (uint16_t)strlen(text));
	wr_bytes(w, text, strlen(text));
	return true;
}

static bool put_number(struct wr *w, const char *text, unsigned bytes)
{
	uint64_t max = (UINT64_C(1) << 8 * bytes) - 1, v;
	bool too_big;

	if (!number_parse(text, max, &v, &too_big))
		return false;
	while (bytes--)
		wr_u8(w, (uint8_t)(v >> 8 * bytes));
	return true;
}

static bool put_part(struct wr *w, const char *part, enum value value,
		     bool is_v6)
{
	bool is_all;

	switch (value) {
	case VALUE_ADDRS:
		return put_addr(w, part, is_v6);
	case VALUE_NAMES:
		return put_name(w, part);
	case VALUE_ROUTES:
		return put_route(w, part, &is_all);
	case VALUE_NTP6:
		return put_ntp6(w, part);
	case VALUE_TEXTS6:
		return put_text6(w, part);
	case VALUE_TEXT:
	case VALUE_U8:
	case VALUE_U16:
	case VALUE_U32:
	case VALUE_HEX:
		break;
	}
	return false;
}

static bool put_parts(struct wr *w, const char *text, enum value value,
		      bool is_v6)
{
	char buf[512];
	const char *part;

	do {
		part = next_part(&text, buf, sizeof(buf));
		if (!part || !put_part(w, part, value, is_v6))
			return false;
	} while (*text && *text != '+');
	return !*text;
}

static bool put_value(struct wr *w, const char *text, enum value value,
		      bool is_v6)
{
	size_t len = 0;

	switch (value) {
	case VALUE_TEXT:
		wr_bytes(w, text, strlen(text));
		return true;
	case VALUE_U8:
		return put_number(w, text, 1);
	case VALUE_U16:
		return put_number(w, text, 2);
	case VALUE_U32:
		return put_number(w, text, 4);
	case VALUE_HEX:
		if (!parse_hex(text, strlen(text), w->p, wr_left(w), &len))
			return false;
		w->p += len;
		return true;
	case VALUE_ADDRS:
	case VALUE_NAMES:
	case VALUE_ROUTES:
	case VALUE_NTP6:
	case VALUE_TEXTS6:
		break;
	}
	return put_parts(w, text, value, is_v6);
}

static const char *wanted(enum value value, bool is_v6)
{
	switch (value) {
	case VALUE_ADDRS:
	case VALUE_NTP6:
		return is_v6 ? "IPv6 addresses, parted by +"
			     : "IPv4 addresses, parted by +";
	case VALUE_TEXT:
	case VALUE_TEXTS6:
		return "a text";
	case VALUE_U8:
		return "a number up to 255";
	case VALUE_U16:
		return "a number up to 65535";
	case VALUE_U32:
		return "a number up to 4294967295";
	case VALUE_HEX:
		return "hexadecimal digits in pairs";
	case VALUE_NAMES:
		return "names of DNS, parted by +";
	case VALUE_ROUTES:
		return "PREFIX/LENGTH/VIA, several parted by +";
	}
	return "";
}

/* ---- options ---- */

static const struct known *find(bool is_v6, const char *name, size_t n,
				uint64_t code)
{
	const struct known *k = is_v6 ? known6 : known4;
	size_t len = is_v6 ? array_len(known6) : array_len(known4);

	for (size_t i = 0; i < len; i++) {
		bool is_it = name ? strlen(k[i].name) == n &&
					    strncmp(k[i].name, name, n) == 0
				  : k[i].code == code;

		if (is_it)
			return &k[i];
	}
	return NULL;
}

static bool is_own(bool is_v6, uint16_t code)
{
	const uint8_t *own = is_v6 ? own6 : own4;
	size_t len = is_v6 ? sizeof(own6) : sizeof(own4);

	return code < 256 && memchr(own, code, len);
}

/* The option's code at text, n characters long, and what its value is; the
 * value may say that by itself, and *valuep is behind that then. */
static int parse_code(const char *whole, const char *text, size_t n,
		      struct dhcp_option *o, const char **valuep,
		      enum value *typep, struct error *e)
{
	static const char key[] = "dhcp-option";
	const struct known *k = NULL;
	char digits[8] = "";
	uint64_t code = 0;
	bool too_big;

	if (n < sizeof(digits))
		memcpy(digits, text, n);
	if (!digits[0] || digits[strspn(digits, "0123456789")]) {
		k = find(o->is_v6, text, n, 0);
		if (!k)
			return fail(e, key, whole,
				    "there is no option of that name; give it "
				    "by its number");
		o->code = k->code;
		*typep = k->value;
		return 0;
	}
	if (!number_parse(digits, o->is_v6 ? 65535 : 254, &code, &too_big))
		return fail(e, key, whole, "numbers of options are 1 to %d",
			    o->is_v6 ? 65535 : 254);
	if (is_own(o->is_v6, (uint16_t)code))
		return fail(e, key, whole,
			    "an option of this number is the server's own%s",
			    code == 51 && !o->is_v6 ? ", lease= sets it" : "");
	o->code = (uint16_t)code;
	for (size_t i = 0; i < array_len(typed); i++) {
		size_t len = strlen(typed[i].word);

		if (strncmp(*valuep, typed[i].word, len) != 0)
			continue;
		*valuep += len;
		*typep = typed[i].value;
		return 0;
	}
	k = find(o->is_v6, NULL, 0, code);
	if (k)
		*typep = k->value;
	else if (**valuep)
		return fail(e, key, whole,
			    "say what the value is: ip:, text:, u8:, u16:, "
			    "u32: or hex: before it");
	return 0;
}

int dhcp_option_parse(const char *text, struct dhcp_option *o, struct error *e)
{
	static const char key[] = "dhcp-option", six[] = "option6:";
	const char *slash = strchr(text, '/'), *at = text, *value;
	struct wr w = wr_init(o->value, sizeof(o->value));
	enum value type = VALUE_HEX;
	size_t n;
	int r;

	*o = (struct dhcp_option){.who.kind = DHCP_WHO_ALL};
	if (slash && parse_who(text, (size_t)(slash - text), &o->who))
		at = slash + 1;
	else
		o->who = (struct dhcp_who){.kind = DHCP_WHO_ALL};
	o->is_v6 = strncmp(at, six, sizeof(six) - 1) == 0;
	if (o->is_v6)
		at += sizeof(six) - 1;
	n = strcspn(at, ":");
	if (!at[n])
		return fail(e, key, text,
			    "it is [WHO/]NAME:VALUE or [WHO/]NUMBER:VALUE, WHO "
			    "a MAC, id:HEX, duid:HEX or name:HOST");
	value = at + n + 1;
	r = parse_code(text, at, n, o, &value, &type, e);
	if (r < 0 || !*value)
		return r;
	if (!put_value(&w, value, type, o->is_v6) || !wr_ok(&w))
		return fail(e, key, text, "its value is %s, %d bytes at most",
			    wanted(type, o->is_v6), DHCP_VALUE_MAX);
	o->len = (uint16_t)wr_len(&w);
	return 0;
}

int dhcp_route_parse(const char *text, struct wr *w, bool *is_allp,
		     struct error *e)
{
	if (!put_route(w, text, is_allp) || !wr_ok(w))
		return fail(e, "route", text,
			    "it is PREFIX/LENGTH/VIA, as 10.9.0.0/16/10.0.2.7, "
			    "and all together have %d bytes at most",
			    DHCP_VALUE_MAX);
	return 0;
}

/* ---- reservations ---- */

/* One part behind WHO: an address of a family that was none yet, or, the last,
 * the name. */
static bool take_part(struct dhcp_reservation *v, const char *p, size_t n,
		      bool is_last)
{
	char buf[DHCP_NAME_LEN];
	addr a;

	if (!n || n >= sizeof(buf))
		return false;
	memcpy(buf, p, n);
	buf[n] = '\0';
	if (addr_parse(buf, &a)) {
		addr *to = addr_is_v4(&a) ? &v->ip4 : &v->ip6;

		if (!addr_is_unspecified(to) || !addr_is_unicast(&a) ||
		    addr_is_link_local6(&a))
			return false;
		*to = a;
		return true;
	}
	if (!is_last || !is_host_name(buf, n))
		return false;
	memcpy(v->name, buf, n + 1);
	return true;
}

int dhcp_reservation_parse(const char *text, struct dhcp_reservation *v,
			   struct error *e)
{
	static const char key[] = "reserve";
	const char *at = strchr(text, '/');
	bool has_address;

	*v = (struct dhcp_reservation){.name = ""};
	if (!at || !parse_who(text, (size_t)(at - text), &v->who))
		return fail(e, key, text,
			    "it is WHO/ADDRESS[/ADDRESS6][/NAME], WHO a MAC, "
			    "id:HEX, duid:HEX or name:HOST");
	while (*at) {
		size_t n = strcspn(++at, "/");

		if (!take_part(v, at, n, !at[n]))
			return fail(e, key, text,
				    "behind WHO there is an address of each "
				    "family at most, then a name");
		at += n;
	}
	has_address = !addr_is_unspecified(&v->ip4) ||
		      !addr_is_unspecified(&v->ip6);
	return has_address ? 0 : fail(e, key, text, "it names no address");
}

void dhcp_said_deinit(struct dhcp_said *s)
{
	free(s->options);
	free(s->reservations);
	*s = (struct dhcp_said){.n_options = 0};
}
