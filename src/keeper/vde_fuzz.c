/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes from somebody who plugs into a VDE server ('r' in front) or types
 * at its console (anything else): no crash, what is taken is within its
 * bounds, and an answer has an end that programs find.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "keeper/vde.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request(const uint8_t *p, size_t n)
{
	struct vde_request r, again;
	uint8_t buf[VDE_REQUEST_MAX];
	const char *why;

	if (n > VDE_REQUEST_MAX)
		n = VDE_REQUEST_MAX;
	switch (vde_request_parse(p, n, &r, &why)) {
	case VDE_MORE:
		assert(n < VDE_REQUEST_LEN);
		return;
	case VDE_BAD:
		assert(why && *why);
		return;
	case VDE_WHOLE:
		break;
	}
	assert(r.port <= VDE_PORT_MAX && r.data.sun_family == AF_UNIX);
	assert(memchr(r.about, '\0', sizeof(r.about)));
	assert(r.data.sun_path[0] == '\0' ||
	       (r.data.sun_path[0] == '/' &&
		memchr(r.data.sun_path, '\0', sizeof(r.data.sun_path))));
	n = vde_request_emit(&r, buf);
	assert(vde_request_parse(buf, n, &again, &why) == VDE_WHOLE);
	assert(again.port == r.port && again.is_port0 == r.is_port0);
	assert(!strcmp(again.about, r.about));
	assert(!memcmp(&again.data, &r.data, sizeof(r.data)));
}

static bool ends_with(const char *text, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n >= len && !memcmp(text + n - len, end, len);
}

static void type(struct vde_server *s, char *line)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);
	enum vde_console_end end;
	const char *last;

	assert(f);
	end = vde_console_line(s, line, f);
	assert(fclose(f) == 0);
	if (n && end == VDE_STAYS) {
		assert(out[n - 1] == '\n');
		last = memrchr(out, '\n', n - 1);
		last = last ? last + 1 : out;
		assert(last[0] == '1');
		if (strncmp(out, "0000 ", 5) == 0)
			assert(ends_with(out, (size_t)(last - out), ".\n"));
	}
	free(out);
}

static void console(const uint8_t *p, size_t n)
{
	struct keeper_config config = {.n_specs = 0};
	struct keeper k = {.c = &config};
	struct plan_netdev netdev = {.name = "sw"};
	struct vde_server s = {.keeper = &k, .netdev = &netdev,
			       .dir = "/tmp/sw"};
	char line[VDE_LINE_MAX];
	size_t len = 0;

	assert(loop_new(&k.loop) == 0);
	list_init(&s.plugs);
	list_init(&s.ports.all);
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n' && len < sizeof(line) - 1) {
			line[len++] = p[i] ? (char)p[i] : '?';
			continue;
		}
		line[len] = '\0';
		type(&s, line);
		len = 0;
	}
	vde_ports_clear(&s.ports);
	loop_free(k.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 'r')
		request(data + 1, size - 1);
	else if (size < 4096)
		console(data, size);
	return 0;
}
