/* SPDX-License-Identifier: BSD-3-Clause */
/* A DHCP client for tests: see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_client.h"

static void on_bound(void *arg, const addr *ip, mac m)
{
	struct bench *b = arg;

	b->n_bound++;
	b->bound_ip = *ip;
	b->bound_mac = m;
}

void client_start(struct bench *b, const struct dhcp_config *c)
{
	b->dhcp = dhcp_free(b->dhcp);
	assert_int_equal(
		dhcp_new(&b->room.env, c, on_bound, b, &b->dhcp), 0);
	/* Two senders that share a place by chance share what one may have:
	 * the same two in each run. */
	dhcp_leases_of(b->dhcp)->key = (struct hash_key){.k0 = 1};
}

int client_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct dhcp_config c = {
		.pool.first = addr_v4(10, 0, 2, 15),
		.hostname = "",
		.domain = ""};

	fake_room_init(&b->room);
	client_start(b, &c);
	b->c.mac = fake_mac(1);
	*state = b;
	return 0;
}

int client_teardown(void **state)
{
	struct bench *b = *state;

	dhcp_free(b->dhcp);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

void client_restart(struct bench *b)
{
	const struct dhcp_config c = {
		.pool.first = addr_v4(10, 0, 2, 15),
		.hostname = "",
		.domain = ""};

	client_start(b, &c);
}

static void put_request(struct wr *w, const struct client *c,
			enum dhcp_type type)
{
	struct dhcp_hdr h = {
		.op = c->op ? c->op : DHCP_REQUEST_OP,
		.htype = c->htype ? c->htype : DHCP_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = 0x12345678,
		.flags = c->flags,
		.ciaddr = addr_v4_u32(c->ciaddr),
		.yiaddr = addr_v4_u32(0),
		.siaddr = addr_v4_u32(0),
		.giaddr = addr_v4_u32(c->giaddr),
	};

	memcpy(h.chaddr, c->mac.b, sizeof(c->mac.b));
	dhcp_emit_hdr(w, &h);
	if (type != DHCP_NONE)
		dhcp_emit_u8(w, DHCP_O_TYPE, (uint8_t)type);
	if (c->id)
		dhcp_emit_text(w, DHCP_O_CLIENT_ID, c->id);
	if (c->want)
		dhcp_emit_u32(w, DHCP_O_REQUESTED_IP, c->want);
	if (c->server)
		dhcp_emit_u32(w, DHCP_O_SERVER_ID, c->server);
	if (c->max_size)
		dhcp_emit_u16(w, DHCP_O_MAX_SIZE, c->max_size);
	if (c->name)
		dhcp_emit_text(w, DHCP_O_HOSTNAME, c->name);
	if (c->fqdn)
		dhcp_emit_opt(w, DHCP_O_FQDN, c->fqdn, c->fqdn_len);
	if (c->n_params)
		dhcp_emit_opt(w, DHCP_O_PARAMS, c->params, c->n_params);
	dhcp_emit_end(w, 0);
}

void client_say(struct bench *b, enum dhcp_type type)
{
	const struct client *c = &b->c;
	uint8_t buf[1500];
	struct wr w = wr_init(buf, sizeof(buf));
	struct packet p = fake_room_packet(
		addr_v4_u32(c->ciaddr), DHCP_PORT_CLIENT,
		mac_is_zero(c->sender) ? c->mac : c->sender);

	put_request(&w, c, type);
	assert_true(wr_ok(&w));
	fake_clear(b->room.guest);
	dhcp_input(b->dhcp, &p, buf, wr_len(&w));
}

bool client_heard(struct bench *b, struct dhcp_msg *mp, struct fake_dgram *gp)
{
	struct rd r;

	if (!fake_room_got(&b->room, 0, gp))
		return false;
	assert_int_equal(b->room.guest->n_out, 1);
	assert_int_equal(gp->pkt.src.port, DHCP_PORT_SERVER);
	assert_int_equal(gp->pkt.dst.port, DHCP_PORT_CLIENT);
	assert_int_equal(addr_u32(&gp->pkt.src.ip), 0x0a000202);
	r = rd_init(gp->data, gp->len);
	assert_true(dhcp_parse(&r, mp));
	assert_int_equal(mp->hdr.op, DHCP_REPLY_OP);
	assert_int_equal(mp->hdr.xid, 0x12345678);
	assert_memory_equal(mp->hdr.chaddr, b->c.mac.b, 6);
	return true;
}

enum dhcp_type client_answer(struct bench *b, uint32_t *ipp)
{
	struct dhcp_msg m;
	struct fake_dgram g;

	*ipp = 0;
	if (!client_heard(b, &m, &g))
		return DHCP_NONE;
	*ipp = addr_u32(&m.hdr.yiaddr);
	return m.type;
}

void client_expect(struct bench *b, enum dhcp_type type, uint32_t ip)
{
	uint32_t got;

	assert_int_equal(client_answer(b, &got), type);
	assert_int_equal(got, ip);
}

void client_expect_nothing(struct bench *b)
{
	assert_int_equal(b->room.guest->n_out, 0);
}

uint64_t client_drops(const struct bench *b, enum drop_reason why)
{
	return b->room.lan.drops.n[why];
}

uint32_t client_join(struct bench *b)
{
	uint32_t ip;

	client_say(b, DHCP_DISCOVER);
	if (client_answer(b, &ip) != DHCP_OFFER)
		return 0;
	b->c.want = ip;
	b->c.server = 0x0a000202;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, ip);
	b->c.want = b->c.server = 0;
	return ip;
}
