/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of the PROXY protocol; see proxy.h. */
#include "nat/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/be.h"

enum {
	V2_PROXY = 0x21, /* version 2, for somebody */
	V2_LOCAL = 0x20, /* for nobody but who connects */
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	/* bytes before each field */
	V2_VERB = 12,
	V2_FAMILY = 13,
	V2_MORE = 14,
	V2_LEN = 16,
};

static bool is_known(const struct endpoint *src, const struct endpoint *dst)
{
	return src->port && addr_is_v4(&src->ip) == addr_is_v4(&dst->ip);
}

static unsigned emit_v1(const struct endpoint *src, const struct endpoint *dst,
			uint8_t *buf)
{
	char from[ADDR_STRLEN], to[ADDR_STRLEN], line[PROXY_HEAD_MAX];
	int n;

	if (is_known(src, dst))
		n = snprintf(line, sizeof(line), "PROXY %s %s %s %u %u\r\n",
			     addr_is_v4(&src->ip) ? "TCP4" : "TCP6",
			     addr_format(&src->ip, from),
			     addr_format(&dst->ip, to), src->port, dst->port);
	else
		n = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	memcpy(buf, line, (size_t)n);
	return (unsigned)n;
}

static unsigned emit_v2(const struct endpoint *src, const struct endpoint *dst,
			uint8_t buf[static PROXY_HEAD_MAX])
{
	static const uint8_t signature[12] = {'\r', '\n', '\r', '\n',
					      0,    '\r', '\n', 'Q',
					      'U',  'I',  'T',  '\n'};
	bool v4 = addr_is_v4(&src->ip);
	unsigned skip = v4 ? 12 : 0, ip_len = 16 - skip;

	memcpy(buf, signature, sizeof(signature));
	memset(buf + V2_VERB, 0, V2_LEN - V2_VERB);
	buf[V2_VERB] = V2_LOCAL;
	if (!is_known(src, dst))
		return V2_LEN;
	buf[V2_VERB] = V2_PROXY;
	buf[V2_FAMILY] = v4 ? V2_TCP4 : V2_TCP6;
	put_be16(buf + V2_MORE, 2 * ip_len + 4);
	memcpy(buf + V2_LEN, src->ip.b + skip, ip_len);
	memcpy(buf + V2_LEN + ip_len, dst->ip.b + skip, ip_len);
	put_be16(buf + V2_LEN + 2 * ip_len, src->port);
	put_be16(buf + V2_LEN + 2 * ip_len + 2, dst->port);
	return V2_LEN + 2 * ip_len + 4;
}

unsigned proxy_emit(uint8_t version, const struct endpoint *src,
		    const struct endpoint *dst,
		    uint8_t buf[static PROXY_HEAD_MAX])
{
	const struct endpoint from = {addr_on_wire(&src->ip), src->port};
	const struct endpoint to = {addr_on_wire(&dst->ip), dst->port};

	return version == PROXY_V1 ? emit_v1(&from, &to, buf)
				   : emit_v2(&from, &to, buf);
}
