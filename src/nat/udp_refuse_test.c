/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests that refuse what comes by UDP, and from where the clients of forwarded
 * ports are answered. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "wire/csum.h"

enum { FORWARD = 7, PORT = 22, OWN = 5000 };

static const struct forward_rules any;

static struct endpoint client; /* of the guest's family */

static int setup(void **state)
{
	(void)fake_nat_setup(state); /* 0 */
	client = fake_nat_ep(*state, 9, 999);
	return 0;
}

static int setup6(void **state)
{
	(void)fake_nat_setup6(state); /* 0 */
	client = fake_nat_ep(*state, 9, 999);
	return 0;
}

/* The ith address of the host's loopback, or what else of it the guest sees as
 * the gateway. */
static struct endpoint local(const struct fake_nat *n, uint8_t i)
{
	if (addr_is_v4(&n->g.ip))
		return fake_ep(127, 0, 0, i, 999);
	return (struct endpoint){.ip = {{0xfe, 0x80, [15] = i}}, .port = 999};
}

static unsigned forward(struct fake_nat *n)
{
	const struct endpoint guest = {.ip = n->g.ip, .port = PORT};
	int fd = fake_udp(n->fh, 2222);

	assert_int_equal(udp_forward_add(n->udp, FORWARD, fd, &guest, &any), 0);
	return (unsigned)fd;
}

static void hear(struct fake_nat *n, unsigned sock, const struct endpoint *from,
		 const char *text)
{
	assert_true(fake_deliver(n->fh, sock, from, text, strlen(text)));
	fake_host_run(n->fh);
}

/* The ith frame that the guest got comes back in an error. */
struct error {
	unsigned i;
	uint8_t type, code; /* of ICMP; it is the family's that means that */
	uint32_t len; /* of the quote; 0: all */
	bool is_bad;  /* its checksum */
};

static void answer(struct fake_nat *n, const struct error *e)
{
	bool is_v4 = addr_is_v4(&n->g.ip);
	uint8_t msg[1500] = {e->type, e->code};
	uint8_t proto = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	struct fake_got got;
	uint64_t pseudo = 0;
	uint32_t len;
	uint16_t sum;

	assert_true(fake_guest_got(&n->g, e->i, &got));
	len = e->len ? e->len : got.len - FRAME_ETH_LEN;
	memcpy(msg + 8, got.frame + FRAME_ETH_LEN, len);
	if (!is_v4) {
		if (!icmp_to6(&msg[0], &msg[1]))
			msg[0] = ICMP6_UNREACHABLE;
		pseudo = csum_pseudo(&n->g.ip, &got.pkt.src.ip, proto, 8 + len);
	}
	sum = csum_fold(csum_add(msg, 8 + len, pseudo)) ^ (e->is_bad ? 1 : 0);
	msg[2] = (uint8_t)(sum >> 8);
	msg[3] = (uint8_t)sum;
	fake_guest_ip(&n->g, got.pkt.src.ip, proto, msg, 8 + len);
	fake_guest_kick(&n->g);
}

static void test_a_refusal_is_passed_on(void **state)
{
	struct fake_nat *n = *state;
	unsigned sock = forward(n);

	hear(n, sock, &client, "question");
	answer(n, &(struct error){.type = ICMP_UNREACHABLE,
				  .code = ICMP_U_PORT});
	assert_int_equal(n->n_refused, 1);
	assert_int_equal(n->refused_by, sock);
	assert_true(endpoint_eq(&n->refused_client, &client));
	assert_int_equal(n->refused.code, ICMP_U_PORT);
	assert_int_equal(n->refused.guest.port, PORT);
	assert_int_equal(n->refused.len, 8);
	assert_int_equal(n->refused.n_payload, 8);
	assert_memory_equal(n->refused.payload, "question", 8);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 0);
}

static void test_the_client_is_the_real_one(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint lo[2] = {local(n, 1), local(n, 2)};
	unsigned sock = forward(n);

	for (unsigned i = 0; i < 2; i++)
		hear(n, sock, &lo[i], "x");
	for (unsigned i = 0; i < 2; i++) {
		answer(n, &(struct error){.i = i,
					  .type = ICMP_UNREACHABLE,
					  .code = ICMP_U_ADMIN});
		assert_true(endpoint_eq(&n->refused_client, &lo[i]));
		assert_int_equal(n->refused.code, ICMP_U_ADMIN);
	}
}

/* A guest cannot make more errors than there were datagrams. */
static void test_one_refusal_for_a_datagram(void **state)
{
	struct fake_nat *n = *state;
	const struct error e = {.type = ICMP_UNREACHABLE, .code = ICMP_U_PORT};
	unsigned sock = forward(n);

	hear(n, sock, &client, "x");
	answer(n, &e);
	answer(n, &e);
	assert_int_equal(n->n_refused, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
	hear(n, sock, &client, "x");
	answer(n, &e);
	assert_int_equal(n->n_refused, 2);
}

static void test_refusals_are_rationed(void **state)
{
	struct fake_nat *n = *state;
	const struct error e = {.type = ICMP_UNREACHABLE, .code = ICMP_U_PORT};
	unsigned sock = forward(n);

	for (unsigned i = 0; i < ICMP_REFUSALS / 2 + 5; i++) {
		hear(n, sock, &client, "x");
		answer(n, &e);
	}
	assert_int_equal(n->n_refused, ICMP_REFUSALS / 2);
	assert_int_equal(n->drops.n[DROP_ICMP_RATE], 5);
}

/* A machine can have as many MACs as it likes, and one port. */
static void test_many_macs_have_one_ration(void **state)
{
	struct fake_nat *n = *state;
	const struct error e = {.type = ICMP_UNREACHABLE, .code = ICMP_U_PORT};
	unsigned sock = forward(n);

	for (uint8_t i = 0; i < 8; i++) {
		n->g.mac.b[5] = (uint8_t)(100 + i);
		for (unsigned k = 0; k < 20; k++) {
			hear(n, sock, &client, "x");
			answer(n, &e);
		}
	}
	assert_int_equal(n->n_refused, ICMP_REFUSALS / 2);
	assert_int_equal(n->drops.n[DROP_ICMP_RATE], 160 - ICMP_REFUSALS / 2);
	fake_nat_pass(n, FAKE_SECOND);
	hear(n, sock, &client, "x");
	answer(n, &e);
	assert_int_equal(n->n_refused, ICMP_REFUSALS / 2 + 1);
}

/* A guest on a port of its own refuses 60 datagrams that come to a mapping of
 * it, which is socket sock; returns how many refusals went through. */
static unsigned refuse_many(struct fake_nat *n, const struct fake_guest *g,
			    unsigned sock)
{
	const struct fake_guest first = n->g;
	unsigned before = n->n_refused;

	n->g = *g;
	fake_guest_udp(&n->g, OWN, &client, "a", 1);
	fake_guest_kick(&n->g);
	for (unsigned i = 0; i < 60; i++) {
		const struct error e = {.i = n->g.port->n_out,
					.type = ICMP_UNREACHABLE,
					.code = ICMP_U_PORT};

		hear(n, sock, &client, "x");
		answer(n, &e);
	}
	n->g = first;
	return n->n_refused - before;
}

/* All machines' refusals together are rationed, for they go one narrow way to
 * the keeper; many that refuse all they can leave room for one more. */
static void test_nobody_takes_all_of_the_ration(void **state)
{
	enum { N = 6 };
	const struct fake_config c = {.name = "vm"};
	struct fake_nat *n = *state;
	struct fake_guest g[N];

	for (uint8_t i = 0; i < N; i++) {
		addr ip = n->g.ip;

		ip.b[15] = (uint8_t)(30 + i);
		fake_guest_init(&g[i], fake_new(n->lan, &c), fake_mac(10 + i),
				n->env.gw_mac, ip);
		(void)refuse_many(n, &g[i], i);
		assert_true(i > 0 || n->n_refused == ICMP_REFUSALS / 2);
		assert_true(i > 1 || n->n_refused >= i + ICMP_REFUSALS / 2);
	}
	assert_int_equal(n->n_refused, ICMP_REFUSALS);
	/* now it is known how many they are */
	fake_nat_pass(n, ICMP_REFUSAL_MS * FAKE_SECOND / 1000);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(refuse_many(n, &g[i], i),
				 ICMP_REFUSALS / (N + 1));
	assert_true(refuse_many(n, &n->g, N) > 0);
	for (unsigned i = 0; i < N; i++)
		fake_free(g[i].port);
}

/* An error does not keep a client in memory (RFC 5508). */
static void test_a_refusal_is_no_use(void **state)
{
	struct fake_nat *n = *state;
	const struct error e = {.type = ICMP_UNREACHABLE, .code = ICMP_U_PORT};
	unsigned sock = forward(n);

	hear(n, sock, &client, "x");
	fake_nat_pass(n, (UDP_NEW_IDLE_SECONDS - 1) * FAKE_SECOND);
	answer(n, &e);
	assert_int_equal(n->n_refused, 1);
	fake_nat_pass(n, 2 * FAKE_SECOND);
	answer(n, &e); /* of a client that is forgotten */
	assert_int_equal(n->n_refused, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
}

static void test_other_messages_are_no_refusals(void **state)
{
	struct fake_nat *n = *state;
	const struct error t[] = {
		{.type = ICMP_TIME_EXCEEDED},
		{.type = ICMP_UNREACHABLE, .code = ICMP_U_FRAG_NEEDED},
		{.type = ICMP_UNREACHABLE, .code = 16},
		{.type = ICMP_UNREACHABLE,
		 .code = ICMP_U_PORT,
		 .len = fake_nat_l4(n) - FRAME_ETH_LEN + 7},
	};
	unsigned sock = forward(n);

	hear(n, sock, &client, "x");
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		answer(n, &t[i]);
		assert_int_equal(n->drops.n[DROP_ICMP_TYPE], i + 1);
	}
	answer(n, &(struct error){.type = ICMP_UNREACHABLE,
				  .code = ICMP_U_PORT,
				  .is_bad = true});
	assert_int_equal(n->drops.n[DROP_ICMP_CSUM], 1);
	assert_int_equal(n->n_refused, 0);
}

/* A guest that speaks for another one is not believed. */
static void test_a_machine_refuses_for_itself_only(void **state)
{
	struct fake_nat *n = *state;
	unsigned sock = forward(n);

	hear(n, sock, &client, "x");
	n->g.ip.b[15]++;
	answer(n, &(struct error){.type = ICMP_UNREACHABLE,
				  .code = ICMP_U_PORT});
	assert_int_equal(n->n_refused, 0);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
}

/* --- what came by the guest's own mapping --- */

static const struct error closed = {.type = ICMP_UNREACHABLE,
				    .code = ICMP_U_PORT};

/* The guest's mapping is socket 0. */
static void map(struct fake_nat *n)
{
	fake_guest_udp(&n->g, OWN, &client, "a", 1);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_socks, 1);
}

/* Its server is told, as often as it asks, and the mapping stays. */
static void test_a_server_is_refused(void **state)
{
	struct fake_nat *n = *state;

	map(n);
	for (unsigned i = 0; i < 2; i++) {
		hear(n, 0, &client, "late");
		answer(n, &closed);
		answer(n, &closed); /* once for a datagram */
		assert_int_equal(n->n_refused, i + 1);
		assert_int_equal(n->drops.n[DROP_ICMP_TYPE], i + 1);
	}
	assert_int_equal(n->refused_by, 0);
	assert_true(endpoint_eq(&n->refused_client, &client));
	assert_int_equal(n->refused.code, ICMP_U_PORT);
	assert_int_equal(n->refused.len, 4);
	assert_memory_equal(n->refused.payload, "late", 4);
	assert_int_equal(n->fh->n_socks, 1);
	fake_guest_udp(&n->g, OWN, &client, "b", 1);
	fake_guest_kick(&n->g);
	assert_int_equal(fake_sent(n->fh, 1)->sock, 0);
}

/* An error keeps no mapping either (RFC 5508 REQ-6). */
static void test_refusing_is_no_use_of_a_flow(void **state)
{
	struct fake_nat *n = *state;

	map(n);
	hear(n, 0, &client, "x");
	fake_nat_pass(n, 29 * FAKE_SECOND);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 1);
	fake_nat_pass(n, (UDP_IDLE_SECONDS - 28) * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 0);
}

/* A guest cannot refuse what nobody sent it, or long ago. */
static void test_a_flow_refuses_what_came(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint other = client;

	map(n);
	other.port++;
	hear(n, 0, &client, "x");
	answer(n, &closed);
	hear(n, 0, &other, "y");
	answer(n, &closed); /* the first once more */
	assert_int_equal(n->n_refused, 1);
	answer(n, &(struct error){.i = 1,
				  .type = ICMP_UNREACHABLE,
				  .code = ICMP_U_PORT});
	assert_int_equal(n->n_refused, 2);
	assert_true(endpoint_eq(&n->refused_client, &other));
	hear(n, 0, &client, "x");
	fake_nat_pass(n, 31 * FAKE_SECOND);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 2);
	/* of a mapping that the guest has not */
	hear(n, 0, &client, "x");
	fake_nat_pass(n, UDP_IDLE_SECONDS * FAKE_SECOND);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 2);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 3);
}

/* The last few that sent something, however many there are. */
static void test_the_last_peers_are_refused(void **state)
{
	enum { N = 12, KEPT = 8 };
	struct fake_nat *n = *state;
	struct endpoint ep = client;

	map(n);
	for (unsigned i = 0; i < N; i++) {
		ep.port = (uint16_t)(1000 + i);
		hear(n, 0, &ep, "x");
	}
	ep.port = 1000 + N - KEPT;
	hear(n, 0, &ep, "again"); /* it is the last one now */
	ep.port = 2000;
	hear(n, 0, &ep, "y"); /* instead of 1005 */
	for (unsigned i = 0; i < N; i++)
		answer(n, &(struct error){.i = i,
					  .type = ICMP_UNREACHABLE,
					  .code = ICMP_U_PORT});
	assert_int_equal(n->n_refused, KEPT - 1);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], N - KEPT + 1);
	answer(n, &(struct error){.i = 5,
				  .type = ICMP_UNREACHABLE,
				  .code = ICMP_U_PORT});
	assert_int_equal(n->n_refused, KEPT - 1);
}

/* The host's loopback has many addresses, and the guest sees one. */
static void test_a_server_of_the_host_is_the_real_one(void **state)
{
	struct fake_nat *n = *state;
	const struct endpoint lo = local(n, 5);

	map(n);
	hear(n, 0, &lo, "x");
	answer(n, &closed);
	assert_true(endpoint_eq(&n->refused_client, &lo));
}

/* Who has refused once learns where the next datagrams come to: an error
 * comes from there, and none of what was sent to all. */
static void test_a_flow_that_refuses_asks_for_more(void **state)
{
	struct fake_nat *n = *state;
	struct fake_datagram d = {.from = client,
				  .data = "x",
				  .len = 1,
				  .local = fake_nat_ep(n, 2, 0).ip};

	map(n);
	assert_int_equal(fake_option(n->fh, 0, HOST_OPT_PKTINFO), -1);
	assert_true(fake_deliver_full(n->fh, 0, &d));
	fake_host_run(n->fh);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 1);
	assert_true(addr_is_unspecified(&n->refused.local));
	assert_int_equal(fake_option(n->fh, 0, HOST_OPT_PKTINFO), 1);
	assert_true(fake_deliver_full(n->fh, 0, &d));
	fake_host_run(n->fh);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 2);
	assert_true(addr_eq(&n->refused.local, &d.local));
	d.is_to_group = true;
	assert_true(fake_deliver_full(n->fh, 0, &d));
	fake_host_run(n->fh);
	answer(n, &closed);
	assert_int_equal(n->n_refused, 2);
	/* what it sends is still the host's to choose */
	fake_guest_udp(&n->g, OWN, &client, "b", 1);
	fake_guest_kick(&n->g);
	assert_false(fake_sent(n->fh, 1)->has_local);
}

/* Nobody could answer port 0. */
static void test_a_peer_without_a_port(void **state)
{
	struct fake_nat *n = *state;
	const struct endpoint zero = fake_nat_ep(n, 9, 0);

	map(n);
	hear(n, 0, &zero, "x");
	answer(n, &closed);
	assert_int_equal(n->n_refused, 0);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
}

/* --- from where clients are answered --- */

/* A port of all addresses: an answer leaves from the one that was asked, which
 * a refusal names too. */
static void test_the_address_that_was_asked(void **state)
{
	struct fake_nat *n = *state;
	const addr own[2] = {fake_nat_ep(n, 2, 0).ip, fake_nat_ep(n, 3, 0).ip};
	unsigned sock = forward(n);
	struct fake_got got;

	for (unsigned i = 0; i < 2; i++) {
		const struct fake_datagram d = {.from = client,
						.data = "x",
						.len = 1,
						.local = own[i]};

		assert_true(fake_deliver_full(n->fh, sock, &d));
		fake_host_run(n->fh);
		assert_true(fake_guest_got(&n->g, i, &got));
		fake_guest_udp(&n->g, PORT, &got.pkt.src, "y", 1);
		if (i == 1)
			fake_guest_udp(&n->g, PORT, &got.pkt.src, "y", 1);
		fake_guest_kick(&n->g);
		assert_true(fake_sent(n->fh, i)->has_local);
		assert_true(endpoint_eq(&fake_sent(n->fh, i)->to, &client));
		assert_true(addr_eq(&fake_sent(n->fh, i)->local, &own[i]));
		answer(n, &(struct error){.i = i,
					  .type = ICMP_UNREACHABLE,
					  .code = ICMP_U_PORT});
		assert_true(addr_eq(&n->refused.local, &own[i]));
	}
	assert_int_equal(fake_sent(n->fh, 1)->gso_size, 1); /* still a run */
	/* what leaves by a flow is the host's to choose */
	fake_guest_udp(&n->g, 5000, &client, "z", 1);
	fake_guest_kick(&n->g);
	assert_false(fake_sent(n->fh, 2)->has_local);
}

/* One client may speak to two of our addresses at a time, or somebody in its
 * name to the second: to the guest these are two, and each is answered from
 * where it asked. */
static void test_two_addresses_are_two_clients(void **state)
{
	struct fake_nat *n = *state;
	struct fake_datagram d = {.from = client, .data = "x", .len = 1};
	unsigned sock = forward(n);
	struct fake_got got[3];

	for (unsigned i = 0; i < 3; i++) {
		d.local = fake_nat_ep(n, (uint8_t)(2 + i % 2), 0).ip;
		assert_true(fake_deliver_full(n->fh, sock, &d));
		fake_host_run(n->fh);
		assert_true(fake_guest_got(&n->g, i, &got[i]));
	}
	assert_true(endpoint_eq(&got[0].pkt.src, &client));
	assert_false(endpoint_eq(&got[1].pkt.src, &client));
	assert_true(endpoint_eq(&got[2].pkt.src, &client));
	for (unsigned i = 0; i < 2; i++)
		fake_guest_udp(&n->g, PORT, &got[i].pkt.src, "y", 1);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(endpoint_eq(&fake_sent(n->fh, i)->to, &client));
		assert_int_equal(fake_sent(n->fh, i)->local.b[15], 2 + i);
	}
}

/* What was sent to all is not answered by errors of all (RFC 1122 3.2.2). */
static void test_no_refusal_of_a_broadcast(void **state)
{
	struct fake_nat *n = *state;
	struct fake_datagram d = {.from = client,
				  .data = "x",
				  .len = 1,
				  .local = fake_nat_ep(n, 2, 0).ip,
				  .is_to_group = true};
	const struct fake_datagram alone = {.from = client,
					    .data = "x",
					    .len = 1,
					    .local = d.local};
	const struct error e = {.type = ICMP_UNREACHABLE, .code = ICMP_U_PORT};
	unsigned sock = forward(n);

	/* this one might be */
	assert_true(fake_deliver_full(n->fh, sock, &alone));
	assert_true(fake_deliver_full(n->fh, sock, &d));
	fake_host_run(n->fh);
	answer(n, &e);
	assert_int_equal(n->n_refused, 0);
	/* an answer is welcome, from our own address */
	fake_guest_udp(&n->g, PORT, &client, "y", 1);
	fake_guest_kick(&n->g);
	assert_true(addr_eq(&fake_sent(n->fh, 0)->local, &d.local));
	assert_true(fake_deliver_full(n->fh, sock, &alone));
	fake_host_run(n->fh);
	answer(n, &e);
	assert_int_equal(n->n_refused, 1);
}

/* Two clients' answers in one batch keep each its own. */
static void test_runs_end_at_another_source(void **state)
{
	struct fake_nat *n = *state;
	struct fake_datagram d = {.data = "x", .len = 1};
	unsigned sock = forward(n);
	struct fake_got got[2];

	for (unsigned i = 0; i < 2; i++) {
		d.from = local(n, (uint8_t)(1 + i));
		d.local = local(n, (uint8_t)(7 + i)).ip;
		assert_true(fake_deliver_full(n->fh, sock, &d));
	}
	fake_host_run(n->fh);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(fake_guest_got(&n->g, i, &got[i]));
		fake_guest_udp(&n->g, PORT, &got[i].pkt.src, "y", 1);
	}
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fake_sent(n->fh, i)->local.b[15], 7 + i);
}

/* A port of one address needs none of it. */
static void test_a_port_of_one_address(void **state)
{
	struct fake_nat *n = *state;
	const struct endpoint guest = {.ip = n->g.ip, .port = PORT};
	const struct endpoint own = fake_nat_ep(n, 2, 2222);
	int fd = fake_udp(n->fh, 2222);

	fake_bind(n->fh, fd, &own);
	assert_int_equal(udp_forward_add(n->udp, FORWARD, fd, &guest, &any), 0);
	assert_int_equal(fake_option(n->fh, (unsigned)fd, HOST_OPT_PKTINFO),
			 -1);
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, setup, fake_nat_teardown),          \
	{                                                                      \
		#f " over IPv6", f, setup6, fake_nat_teardown, NULL            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_refusal_is_passed_on),
		T(test_the_client_is_the_real_one),
		T(test_one_refusal_for_a_datagram),
		T(test_refusals_are_rationed),
		T(test_many_macs_have_one_ration),
		T(test_a_refusal_is_no_use),
		T(test_other_messages_are_no_refusals),
		T(test_a_machine_refuses_for_itself_only),
		T(test_nobody_takes_all_of_the_ration),
		T(test_a_server_is_refused),
		T(test_refusing_is_no_use_of_a_flow),
		T(test_a_flow_refuses_what_came),
		T(test_the_last_peers_are_refused),
		T(test_a_server_of_the_host_is_the_real_one),
		T(test_a_flow_that_refuses_asks_for_more),
		T(test_a_peer_without_a_port),
		T(test_the_address_that_was_asked),
		T(test_two_addresses_are_two_clients),
		T(test_no_refusal_of_a_broadcast),
		T(test_runs_end_at_another_source),
		T(test_a_port_of_one_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
