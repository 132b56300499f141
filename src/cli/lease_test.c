/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP client, against a server that is a child with a script. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/lease.h"
#include "wire/arp.h"
#include "wire/dhcp.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/packet.h"
#include "wire/udp.h"

static const mac own = {{0x52, 0x54, 0, 1, 2, 3}};

/* What the server does with each message that comes, in this order. */
enum step {
	END, /* of the script, and of the server */
	LOSE,
	OFFER,
	ACK,
	NAK,
	NOISE_ACK, /* what is no answer to this client, then the ACK */
	BAD_ACK,   /* of no address */
	ALL,	   /* an answer to all that comes, until the client ends: it
		    * may be slow, and ask more often than it has to */
};

/* ---- the server ---- */

static size_t make_answer(uint8_t *buf, size_t room, const struct dhcp_msg *m,
			  enum dhcp_type type, uint32_t ip)
{
	static const uint8_t dns[] = {10, 0, 2, 3, 10, 0, 2, 4, 10, 0, 2, 5,
				      10, 0, 2, 6};
	static const char *const names[] = {"lab.example", "example.org"};
	addr router = addr_v4(10, 0, 2, 2);
	struct dhcp_hdr h = dhcp_reply_hdr(m);
	struct eth_hdr eth = {.dst = MAC_BROADCAST, .src = {{2}},
			      .type = ETH_T_IP4};
	struct ip4_hdr iph = {.ttl = 64, .proto = IPPROTO_UDP, .src = router,
			      .dst = addr_v4_u32(UINT32_MAX)};
	struct udp_hdr udp = {.sport = 67, .dport = 68};
	uint8_t body[1000], search[100];
	struct wr b = wr_init(body, sizeof(body)), w = wr_init(buf, room);
	struct wr s = wr_init(search, sizeof(search));

	h.op = DHCP_REPLY_OP;
	h.yiaddr = addr_v4_u32(ip);
	h.ciaddr = h.siaddr = addr_v4_u32(0);
	dhcp_emit_hdr(&b, &h);
	dhcp_emit_u8(&b, DHCP_O_TYPE, (uint8_t)type);
	dhcp_emit_addr(&b, DHCP_O_SERVER_ID, &router);
	dhcp_emit_u32(&b, DHCP_O_MASK, 0xfffff000);
	dhcp_emit_addr(&b, DHCP_O_ROUTER, &router);
	dhcp_emit_opt(&b, DHCP_O_DNS, dns, sizeof(dns));
	dhcp_emit_u16(&b, DHCP_O_MTU, 1400);
	if (dhcp_search_encode(&s, names, 2))
		dhcp_emit_opt(&b, DHCP_O_SEARCH, search, wr_len(&s));
	dhcp_emit_end(&b, 0);
	udp.len = (uint16_t)(UDP_HDR_LEN + wr_len(&b));
	iph.total_len = (uint16_t)(IP4_HDR_LEN + udp.len);
	eth_emit(&w, &eth);
	ip4_emit(&w, &iph);
	udp_emit(&w, &udp);
	wr_bytes(&w, body, wr_len(&b));
	return wr_ok(&w) && wr_ok(&b) ? wr_len(&w) : 0;
}

static bool answer(int fd, const struct dhcp_msg *m, enum dhcp_type type,
		   uint32_t ip)
{
	uint8_t buf[1500];
	size_t n = make_answer(buf, sizeof(buf), m, type, ip);

	return n && send(fd, buf, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Of another client, to another question, cut short, and none at all. */
static bool noise(int fd, const struct dhcp_msg *m)
{
	struct dhcp_msg other = *m;
	uint8_t buf[1500] = {0};
	size_t n;
	bool ok;

	other.hdr.chaddr[5] ^= 1;
	ok = answer(fd, &other, DHCP_ACK, 0x0a000250);
	other = *m;
	other.hdr.xid ^= 1;
	ok = ok && answer(fd, &other, DHCP_NAK, 0x0a000251);
	ok = ok && answer(fd, m, DHCP_OFFER, 0x0a000252);
	n = make_answer(buf, sizeof(buf), m, DHCP_ACK, 0x0a000253);
	ok = ok && n && send(fd, buf, 60, 0) == 60;
	memset(buf, 0, sizeof(buf));
	return ok && send(fd, buf, 1, 0) == 1 &&
	       send(fd, buf, sizeof(buf), 0) == sizeof(buf);
}

static bool read_question(int fd, struct dhcp_msg *m)
{
	uint8_t frame[2000];
	ssize_t n = recv(fd, frame, sizeof(frame), 0);
	struct packet p;
	struct udp_hdr udp;
	struct rd r;

	if (n <= 0 || packet_parse(frame, (size_t)n, (size_t)n, &p) !=
			      PACKET_OK ||
	    p.src.port != 68 || p.dst.port != 67 ||
	    !addr_is_broadcast(&p.dst.ip) || !mac_eq(p.eth_src, own))
		return false;
	r = rd_init(frame + p.l4_off, p.l4_len);
	return udp_parse(&r, p.l4_len, &udp) && dhcp_parse(&r, m) &&
	       m->hdr.op == DHCP_REQUEST_OP && m->hdr.flags & DHCP_F_BROADCAST;
}

static bool play(int fd, const struct dhcp_msg *m, enum step step)
{
	switch (step) {
	case OFFER:
		return m->type == DHCP_DISCOVER &&
		       answer(fd, m, DHCP_OFFER, 0x0a000214);
	case NOISE_ACK:
		if (!noise(fd, m))
			return false;
		/* fall through */
	case ACK:
		return m->type == DHCP_REQUEST &&
		       answer(fd, m, DHCP_ACK, 0x0a000214);
	case BAD_ACK:
		return answer(fd, m, DHCP_ACK, 0);
	case NAK:
		return m->type == DHCP_REQUEST && answer(fd, m, DHCP_NAK, 0);
	case ALL:
		return answer(fd, m, m->type == DHCP_DISCOVER ? DHCP_OFFER
							      : DHCP_ACK,
			      0x0a000214);
	case LOSE:
	case END:
		break;
	}
	return true;
}

/* 0 if all of the script happened and nothing else. */
static int server(int fd, const enum step *script)
{
	struct dhcp_msg m;

	for (; *script != END; script += *script != ALL) {
		/* Who has its lease does not read what is left. */
		if (*script == ALL && (!read_question(fd, &m) ||
				       !play(fd, &m, *script)))
			return 0;
		if (*script == ALL)
			continue;
		if (!read_question(fd, &m) || !play(fd, &m, *script))
			return 1;
	}
	return recv(fd, &m, sizeof(m), 0) <= 0 ? 0 : 2;
}

/* ---- the client ---- */

static int ask(const enum step *script, unsigned first_ms, unsigned tries,
	       struct lease *l, struct error *e)
{
	struct lease_args a = {
		.mac = own, .hostname = "me", .first_ms = first_ms,
		.tries = tries};
	int pair[2], status = -1, r;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(server(pair[1], script));
	}
	close(pair[1]);
	a.fd = pair[0];
	r = lease_ask(&a, l, e);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return r;
}

static void good(const enum step *script, unsigned first_ms)
{
	struct error e = ERROR_NULL;
	addr ip = addr_v4(10, 0, 2, 20);
	struct lease l;

	assert_int_equal(ask(script, first_ms, 6, &l, &e), 0);
	assert_true(addr_eq(&l.ip.ip, &ip));
	assert_int_equal(l.ip.len, 96 + 20);
}

static void a_lease(void **state)
{
	static const enum step script[] = {OFFER, ACK, END};
	char text[2 * LEASE_TEXT_LEN];
	struct error e = ERROR_NULL;
	struct lease l;

	(void)state;
	assert_int_equal(ask(script, 10000, 1, &l, &e), 0);
	assert_int_equal(addr_u32(&l.ip.ip), 0x0a000214);
	assert_int_equal(l.ip.len, 96 + 20);
	assert_int_equal(addr_u32(&l.router), 0x0a000202);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(l.n_dns, LEASE_DNS_MAX);
	lease_resolv_conf(&l, "lab", text);
	assert_string_equal(text, "# vmlan: network lab\n"
				  "search lab.example example.org\n"
				  "nameserver 10.0.2.3\n"
				  "nameserver 10.0.2.4\n"
				  "nameserver 10.0.2.5\n");
	l = (struct lease){.n_dns = 0};
	lease_resolv_conf(&l, "lab", text);
	assert_string_equal(text, "# vmlan: network lab\n");
}

static void what_is_lost_is_sent_again(void **state)
{
	static const enum step first[] = {LOSE, ALL};
	static const enum step second[] = {OFFER, LOSE, ALL};
	static const enum step both[] = {OFFER, LOSE, LOSE, ALL};

	(void)state;
	good(first, 100);
	good(second, 100);
	good(both, 100);
}

static void a_refusal_begins_anew(void **state)
{
	static const enum step script[] = {OFFER, NAK, OFFER, ACK, END};
	static const enum step empty[] = {OFFER, BAD_ACK, OFFER, ACK, END};

	(void)state;
	good(script, 10000);
	good(empty, 10000);
}

static void others_are_not_heard(void **state)
{
	static const enum step script[] = {OFFER, NOISE_ACK, END};

	(void)state;
	good(script, 10000);
}

static void silence_ends_it(void **state)
{
	static const enum step script[] = {LOSE, LOSE, LOSE, END};
	static const enum step none[] = {OFFER, NAK, OFFER, NAK, END};
	struct error e = ERROR_NULL;
	struct lease l;

	(void)state;
	assert_int_equal(ask(script, 10, 3, &l, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "nobody leases an address"));
	e = ERROR_NULL;
	assert_int_equal(ask(none, 10000, 2, &l, &e), -ETIMEDOUT);
}

static void a_card_that_goes_is_told(void **state)
{
	struct lease_args a = {
		.mac = own, .hostname = "me", .first_ms = 10000, .tries = 3};
	struct error e = ERROR_NULL;
	struct lease l;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	close(pair[1]);
	a.fd = pair[0];
	assert_int_equal(lease_ask(&a, &l, &e), -EPIPE);
	close(pair[0]);
}

static void others_learn_the_address(void **state)
{
	addr ip = addr_v4(10, 0, 2, 20);
	uint8_t frame[200];
	struct eth_hdr eth;
	struct arp_msg arp;
	struct rd r;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	lease_announce(pair[0], own, &ip);
	assert_int_equal(recv(pair[1], frame, sizeof(frame), 0), ETH_MIN_LEN);
	r = rd_init(frame, ETH_MIN_LEN);
	assert_true(eth_parse(&r, &eth) && arp_parse(&r, &arp));
	assert_true(mac_is_broadcast(eth.dst) && mac_eq(eth.src, own));
	assert_int_equal(arp.op, ARP_REQUEST);
	assert_true(mac_eq(arp.sha, own));
	assert_true(addr_eq(&arp.spa, &ip) && addr_eq(&arp.tpa, &ip));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease),
		cmocka_unit_test(what_is_lost_is_sent_again),
		cmocka_unit_test(a_refusal_begins_anew),
		cmocka_unit_test(others_are_not_heard),
		cmocka_unit_test(silence_ends_it),
		cmocka_unit_test(a_card_that_goes_is_told),
		cmocka_unit_test(others_learn_the_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
