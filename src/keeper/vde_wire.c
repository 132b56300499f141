/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and answers of the VDE protocol; see vde_wire.h. */
#include "keeper/vde_wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define VDE_MAGIC UINT32_C(0xfeedface)

enum {
	VDE_VERSION = 3,
	VDE_NEW_CONTROL = 0, /* low byte of the type; above it the port */
	VDE_NEW_PORT0 = 1,
	VDE_PORT_SHIFT = 8,
};

static uint32_t word_at(const uint8_t *p, unsigned i)
{
	uint32_t v;

	memcpy(&v, p + i * sizeof(v), sizeof(v));
	return v;
}

static bool is_terminated(const struct sockaddr_un *sa)
{
	return memchr(sa->sun_path, '\0', sizeof(sa->sun_path)) != NULL;
}

static const char *judge_address(const struct sockaddr_un *sa)
{
	if (sa->sun_family != AF_UNIX)
		return "its data socket is no unix socket";
	if (sa->sun_path[0] == '\0') /* User-mode Linux has such a name */
		return NULL;
	if (sa->sun_path[0] != '/')
		return "the path of its data socket is not absolute";
	if (!is_terminated(sa))
		return "the path of its data socket does not end";
	return NULL;
}

/* Where it ends is where the client's send ended, or a NUL. */
static void take_about(struct vde_request *r, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && n < sizeof(r->about) - 1 && p[n]) {
		r->about[n] = p[n] >= ' ' && p[n] < 0x7f ? (char)p[n] : '?';
		n++;
	}
	r->about[n] = '\0';
}

/* The words in front of the address, as far as they are here. */
static const char *judge_head(const uint8_t *p, size_t len)
{
	if (len >= 4 && word_at(p, 0) != VDE_MAGIC)
		return "it does not speak the protocol of VDE";
	if (len >= 8 && word_at(p, 1) != VDE_VERSION)
		return "it speaks another version of VDE's protocol than 3";
	if (len >= 12 && (word_at(p, 2) & 0xff) > VDE_NEW_PORT0)
		return "it asks for something unknown";
	if (len >= 12 && word_at(p, 2) >> VDE_PORT_SHIFT > VDE_PORT_MAX)
		return "there are no ports above 65535";
	return NULL;
}

enum vde_judgement vde_request_parse(const void *bytes, size_t len,
				     struct vde_request *r, const char **whyp)
{
	const uint8_t *p = bytes;
	uint32_t type;

	*whyp = judge_head(p, len);
	if (*whyp)
		return VDE_BAD;
	if (len < VDE_REQUEST_LEN)
		return VDE_MORE;
	type = word_at(p, 2);
	*r = (struct vde_request){
		.is_port0 = (type & 0xff) == VDE_NEW_PORT0,
		.port = type >> VDE_PORT_SHIFT,
	};
	memcpy(&r->data, p + 12, sizeof(r->data));
	take_about(r, p + VDE_REQUEST_LEN, len - VDE_REQUEST_LEN);
	*whyp = judge_address(&r->data);
	return *whyp ? VDE_BAD : VDE_WHOLE;
}

size_t vde_request_emit(const struct vde_request *r,
			uint8_t buf[VDE_REQUEST_MAX])
{
	const uint32_t head[3] = {
		VDE_MAGIC,
		VDE_VERSION,
		(r->is_port0 ? VDE_NEW_PORT0 : VDE_NEW_CONTROL) |
			r->port << VDE_PORT_SHIFT,
	};
	size_t n = strlen(r->about);

	memcpy(buf, head, sizeof(head));
	memcpy(buf + sizeof(head), &r->data, sizeof(r->data));
	memcpy(buf + VDE_REQUEST_LEN, r->about, n);
	return VDE_REQUEST_LEN + n;
}

bool vde_address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	return snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path) <
	       (int)sizeof(sa->sun_path);
}

bool vde_reply_parse(const uint8_t p[VDE_REPLY_LEN], struct sockaddr_un *sa)
{
	memcpy(sa, p, sizeof(*sa));
	return sa->sun_family == AF_UNIX && sa->sun_path[0] &&
	       is_terminated(sa);
}
