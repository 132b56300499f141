/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases as text; see lease_line.h. */
#include "keeper/lease_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

enum { SUM_LEN = 16 };

static const char *const states[] = {
	[DHCP_LEASE_ENDED] = "ended",
	[DHCP_LEASE_BOUND] = "bound",
	[DHCP_LEASE_RESTED] = "rested",
};
_Static_assert(array_len(states) == DHCP_LEASE_STATES, "a word for each");

/* It tells what was damaged, and keeps nobody from writing a line. */
static uint64_t sum_of(const char *text, size_t len)
{
	static const struct hash_key key = {.k0 = 0x6c65617365206f66,
					    .k1 = 0x6120766d6c616e20};

	return hash_bytes(&key, text, len);
}

bool lease_is_sound(const struct dhcp_lease *l)
{
	size_t n = strnlen(l->name, sizeof(l->name));

	if (n == sizeof(l->name) || l->state >= DHCP_LEASE_STATES)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (l->name[i] < ' ' || l->name[i] > '~')
			return false;
	}
	return l->id_len && l->id_len <= DHCP_CLIENT_LEN &&
	       l->n_part < l->id_len && addr_is_unicast(&l->ip);
}

size_t lease_line_format(const struct kept_lease *k, char *buf)
{
	const struct dhcp_lease *l = &k->lease;
	char ip[ADDR_STRLEN], m[MAC_STRLEN], end[24] = "never";
	size_t at;

	if (k->end != LEASE_NEVER)
		snprintf(end, sizeof(end), "%" PRId64, k->end);
	at = (size_t)snprintf(buf, LEASE_LINE_MAX, "%s %s %s %s ",
			      addr_format(&l->ip, ip), mac_format(l->mac, m),
			      states[l->state], end);
	for (unsigned i = 0; i < l->id_len; i++)
		at += (size_t)snprintf(buf + at, LEASE_LINE_MAX - at, "%02x",
				       l->id[i]);
	at += (size_t)snprintf(buf + at, LEASE_LINE_MAX - at, "/%u %s",
			       l->n_part, l->name);
	at += (size_t)snprintf(buf + at, LEASE_LINE_MAX - at,
			       " %016" PRIx64 "\n", sum_of(buf, at));
	return at;
}

/* The next word of *pp, which ends with a space; false: there is none, or it
 * does not fit. */
static bool word(const char **pp, const char *end, char *buf, size_t room)
{
	const char *space = memchr(*pp, ' ', (size_t)(end - *pp));
	size_t n = space ? (size_t)(space - *pp) : 0;

	if (!n || n >= room)
		return false;
	memcpy(buf, *pp, n);
	buf[n] = '\0';
	*pp = space + 1;
	return true;
}

static bool parse_state(const char *text, uint8_t *statep)
{
	for (unsigned i = 0; i < array_len(states); i++) {
		if (strcmp(text, states[i]) != 0)
			continue;
		*statep = (uint8_t)i;
		return true;
	}
	return false;
}

static bool parse_end(const char *text, int64_t *endp)
{
	size_t n = strlen(text);

	*endp = LEASE_NEVER;
	if (strcmp(text, "never") == 0)
		return true;
	if (n > 17 || text[strspn(text, "0123456789")])
		return false;
	*endp = strtoll(text, NULL, 10);
	return true;
}

static bool parse_id(const char *text, struct dhcp_lease *l)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : 0;

	if (!n || n % 2 || n / 2 > DHCP_CLIENT_LEN || strlen(slash) != 2 ||
	    slash[1] < '0' || slash[1] > '9')
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		l->id[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	l->id_len = (uint8_t)(n / 2);
	l->n_part = (uint8_t)(slash[1] - '0');
	return true;
}

bool lease_line_parse(const char *text, size_t len, struct kept_lease *k)
{
	struct dhcp_lease *l = &k->lease;
	char buf[LEASE_LINE_MAX], sum[SUM_LEN + 1];
	const char *p = text, *end;
	size_t n;

	*k = (struct kept_lease){.lease = {.name = ""}};
	if (len >= LEASE_LINE_MAX || len <= SUM_LEN + 1)
		return false;
	end = text + len - SUM_LEN - 1;
	snprintf(sum, sizeof(sum), "%016" PRIx64,
		 sum_of(text, (size_t)(end - text)));
	if (*end != ' ' || memcmp(end + 1, sum, SUM_LEN) != 0)
		return false;
	if (!word(&p, end, buf, sizeof(buf)) || !addr_parse(buf, &l->ip) ||
	    !word(&p, end, buf, sizeof(buf)) || !mac_parse(buf, &l->mac) ||
	    !word(&p, end, buf, sizeof(buf)) || !parse_state(buf, &l->state) ||
	    !word(&p, end, buf, sizeof(buf)) || !parse_end(buf, &k->end) ||
	    !word(&p, end, buf, sizeof(buf)) || !parse_id(buf, l))
		return false;
	n = (size_t)(end - p);
	if (n >= sizeof(l->name) || memchr(p, 0, n))
		return false;
	memcpy(l->name, p, n);
	return lease_is_sound(l);
}
