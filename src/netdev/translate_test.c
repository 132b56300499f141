/* SPDX-License-Identifier: BSD-3-Clause */
/* Many machines behind one MAC: what each frame says when it has passed, and
 * what the table knows then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/cursor.h"
#include "netdev/rig_filter.h"
#include "netdev/translate.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/dhcp.h"
#include "wire/eth.h"
#include "wire/packet.h"

enum {
	FRAME_ROOM = 400,
	L3 = 14,
	UDP4 = L3 + 20,
	DHCP4 = UDP4 + 8,
	L4_V6 = L3 + 40,
	PORT_DHCP_SERVER = 67,
	PORT_DHCP_CLIENT = 68,
	TYPE_ARP = 0x0806,
	TYPE_V4 = 0x0800,
	TYPE_V6 = 0x86dd,
};

static const mac host = {{2, 0, 0, 0, 0, 0xff}};
static const mac one = {{2, 0, 0, 0, 0, 1}};
static const mac two = {{2, 0, 0, 0, 0, 2}};
static const mac router = {{2, 0, 0, 0, 0, 0xee}};

struct bench {
	struct translate t;
	uint8_t p[FRAME_ROOM];
	uint32_t len;
	uint64_t now;
};

static struct bench begin(void)
{
	return (struct bench){.t = {.host = host}, .now = 1};
}

static addr ip4(uint8_t last)
{
	return addr_v4(192, 168, 77, last);
}

static addr ip6(uint8_t last)
{
	addr a = {{0xfd, 0x77}};

	a.b[15] = last;
	return a;
}

static void eth(struct bench *b, mac to, mac from, unsigned type)
{
	memset(b->p, 0, sizeof(b->p));
	memcpy(b->p, to.b, 6);
	memcpy(b->p + 6, from.b, 6);
	put_be16(b->p + 12, type);
	b->len = 60;
}

static void arp(struct bench *b, mac to, mac from, const struct arp_msg *m)
{
	struct wr w;

	eth(b, to, from, TYPE_ARP);
	w = wr_init(b->p + L3, ARP_LEN);
	arp_emit(&w, m);
}

/* UDP over IPv4, its checksum in place. */
static void udp4(struct bench *b, mac to, mac from, addr dst, addr src,
		 unsigned dport, unsigned sport, unsigned payload)
{
	uint8_t *ip = b->p + L3, *udp = b->p + UDP4;
	unsigned len = 8 + payload;

	b->p[12] = TYPE_V4 >> 8;
	b->p[13] = 0;
	memcpy(b->p, to.b, 6);
	memcpy(b->p + 6, from.b, 6);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	put_be16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, src.b + 12, 4);
	memcpy(ip + 16, dst.b + 12, 4);
	put_be16(ip + 10, csum_fold(csum_add(ip, 20, 0)));
	put_be16(udp, sport);
	put_be16(udp + 2, dport);
	put_be16(udp + 4, len);
	put_be16(udp + 6, csum_fold(csum_add(
				  udp, len, csum_pseudo(&src, &dst, 17, len))));
	b->len = UDP4 + len < 60 ? 60 : UDP4 + len;
}

static bool udp4_is_right(const struct bench *b)
{
	const uint8_t *ip = b->p + L3, *udp = b->p + UDP4;
	addr src = addr_v4_bytes(ip + 12), dst = addr_v4_bytes(ip + 16);
	unsigned len = (unsigned)(udp[4] << 8 | udp[5]);

	return csum_fold(csum_add(udp, len,
				  csum_pseudo(&src, &dst, 17, len))) == 0;
}

/* Neighbour discovery with one link-layer address option. */
static void nd(struct bench *b, mac to, mac from, addr dst, addr src,
	       unsigned type, unsigned opt, mac ll)
{
	uint8_t *ip = b->p + L3, *icmp = b->p + L4_V6;
	unsigned len = 24 + 8;

	eth(b, to, from, TYPE_V6);
	ip[0] = 0x60;
	put_be16(ip + 4, len);
	ip[6] = 58;
	ip[7] = 255;
	memcpy(ip + 8, src.b, 16);
	memcpy(ip + 24, dst.b, 16);
	icmp[0] = (uint8_t)type;
	memcpy(icmp + 8, src.b, 16);
	icmp[24] = (uint8_t)opt;
	icmp[25] = 1;
	memcpy(icmp + 26, ll.b, 6);
	put_be16(icmp + 2,
		 csum_fold(csum_add(icmp, len,
				    csum_pseudo(&src, &dst, 58, len))));
	b->len = L4_V6 + len;
}

static bool nd_is_right(const struct bench *b)
{
	addr src, dst;

	memcpy(src.b, b->p + L3 + 8, 16);
	memcpy(dst.b, b->p + L3 + 24, 16);
	return csum_fold(csum_add(b->p + L4_V6, 32,
				  csum_pseudo(&src, &dst, 58, 32))) == 0;
}

static bool out(struct bench *b)
{
	uint32_t n = b->len < 192 ? b->len : 192;
	bool grew = translate_out(&b->t, b->p, n, b->len, true, b->now++);

	assert_memory_equal(b->p + 6, host.b, 6);
	return grew;
}

static bool in(struct bench *b)
{
	return translate_in(&b->t, b->p, b->len);
}

static void speaks(struct bench *b, mac m, addr ip)
{
	eth(b, router, m, TYPE_V4);
	udp4(b, router, m, ip4(1), ip, 9, 9, 20);
	out(b);
}

/* A datagram to that address at the host's MAC goes to m. */
static void goes_to(struct bench *b, addr ip, mac m)
{
	udp4(b, host, router, ip, ip4(1), 9, 9, 20);
	assert_true(in(b));
	assert_memory_equal(b->p, m.b, 6);
	assert_memory_equal(b->p + 6, router.b, 6);
	assert_true(udp4_is_right(b));
}

static void goes_to_nobody(struct bench *b, addr ip)
{
	udp4(b, host, router, ip, ip4(1), 9, 9, 20);
	assert_false(in(b));
}

static void arp_names_the_host(void **state)
{
	struct bench b = begin();
	struct arp_msg ask = {
		.op = ARP_REQUEST, .sha = one, .spa = ip4(10), .tpa = ip4(1)};
	struct arp_msg tell = {.op = ARP_REPLY,
			       .sha = router,
			       .spa = ip4(1),
			       .tha = host,
			       .tpa = ip4(10)};
	struct arp_msg m;
	struct rd r;

	arp(&b, MAC_BROADCAST, one, &ask);
	assert_true(out(&b));
	r = rd_init(b.p + L3, ARP_LEN);
	assert_true(arp_parse(&r, &m));
	assert_true(mac_eq(m.sha, host));
	assert_true(mac_is_zero(m.tha));
	arp(&b, host, router, &tell);
	assert_true(in(&b));
	assert_memory_equal(b.p, one.b, 6);
	r = rd_init(b.p + L3, ARP_LEN);
	assert_true(arp_parse(&r, &m));
	assert_true(mac_eq(m.sha, router));
	assert_true(mac_eq(m.tha, one));
	/* For another address behind this MAC: the host's. */
	tell.tpa = ip4(2);
	arp(&b, host, router, &tell);
	assert_false(in(&b));
	/* Somebody asks for the machine: it hears, and answers as the host. */
	ask = (struct arp_msg){.op = ARP_REQUEST,
			       .sha = router,
			       .spa = ip4(1),
			       .tpa = ip4(10)};
	arp(&b, MAC_BROADCAST, router, &ask);
	assert_true(in(&b));
	assert_memory_equal(b.p, MAC_BROADCAST.b, 6);
}

/* RFC 5227: one who asks whether his address is free has none yet. */
static void the_answer_to_a_probe_is_for_all(void **state)
{
	struct bench b = begin();
	struct arp_msg probe = {.op = ARP_REQUEST, .sha = one, .tpa = ip4(10)};
	struct arp_msg taken = {
		.op = ARP_REPLY, .sha = router, .spa = ip4(10), .tha = host};

	arp(&b, MAC_BROADCAST, one, &probe);
	assert_false(out(&b));
	assert_int_equal(b.t.n, 0);
	arp(&b, host, router, &taken);
	assert_true(in(&b));
	assert_memory_equal(b.p, MAC_BROADCAST.b, 6);
}

static void an_announcement_names_the_host_twice(void **state)
{
	struct bench b = begin();
	struct arp_msg m = {.op = ARP_REPLY,
			    .sha = one,
			    .spa = ip4(10),
			    .tha = one,
			    .tpa = ip4(10)};

	arp(&b, MAC_BROADCAST, one, &m);
	assert_true(out(&b));
	assert_memory_equal(b.p + L3 + 8, host.b, 6);
	assert_memory_equal(b.p + L3 + 18, host.b, 6);
	goes_to(&b, ip4(10), one);
}

static void addresses_tell_machines_apart(void **state)
{
	struct bench b = begin();

	speaks(&b, one, ip4(10));
	assert_true(udp4_is_right(&b));
	speaks(&b, two, ip4(11));
	speaks(&b, two, ip4(12));
	assert_int_equal(b.t.n, 3);
	goes_to(&b, ip4(10), one);
	goes_to(&b, ip4(11), two);
	goes_to(&b, ip4(12), two);
	goes_to_nobody(&b, ip4(13));
	/* An address moves with the one who speaks by it. */
	speaks(&b, one, ip4(11));
	assert_int_equal(b.t.n, 3);
	goes_to(&b, ip4(11), one);
	/* What is for another MAC is no matter of ours. */
	udp4(&b, router, one, ip4(10), ip4(1), 9, 9, 20);
	assert_false(in(&b));
}

static void no_machine_has_these(void **state)
{
	struct bench b = begin();

	speaks(&b, one, addr_v4(0, 0, 0, 0));
	speaks(&b, one, addr_v4(224, 0, 0, 1));
	speaks(&b, one, addr_v4(255, 255, 255, 255));
	speaks(&b, one, addr_v4(127, 0, 0, 1));
	assert_int_equal(b.t.n, 0);
}

static void tags_are_looked_behind(void **state)
{
	struct bench b = begin();

	udp4(&b, router, one, ip4(1), ip4(10), 9, 9, 20);
	memmove(b.p + 16, b.p + 12, b.len - 12);
	put_be16(b.p + 12, 0x8100);
	put_be16(b.p + 14, 42);
	b.len += 4;
	assert_true(out(&b));
	assert_int_equal(b.t.n, 1);
	goes_to(&b, ip4(10), one);
}

/* ---- the host's own addresses ---- */

static void what_is_the_hosts_stays_so(void **state)
{
	struct bench b = begin();
	struct arp_msg m = {
		.op = ARP_REQUEST, .sha = host, .spa = ip4(3), .tpa = ip4(1)};
	addr ip = ip4(2);

	assert_false(translate_host_ip(&b.t, &ip));
	speaks(&b, one, ip4(2));
	goes_to_nobody(&b, ip4(2));
	/* One that it has got since: it is heard asking. */
	speaks(&b, one, ip4(3));
	goes_to(&b, ip4(3), one);
	arp(&b, MAC_BROADCAST, host, &m);
	assert_true(translate_host(&b.t, b.p, b.len));
	goes_to_nobody(&b, ip4(3));
	speaks(&b, one, ip4(3));
	goes_to_nobody(&b, ip4(3));
	assert_false(translate_host(&b.t, b.p, b.len));
}

/* ---- DHCP ---- */

static void dhcp(struct bench *b, mac to, mac from, addr dst, addr src,
		 bool is_reply, mac chaddr)
{
	unsigned client = PORT_DHCP_CLIENT, server = PORT_DHCP_SERVER;

	memset(b->p, 0, sizeof(b->p));
	b->p[DHCP4] = is_reply ? 2 : 1;
	b->p[DHCP4 + 1] = 1;
	b->p[DHCP4 + 2] = 6;
	memcpy(b->p + DHCP4 + 28, chaddr.b, 6);
	udp4(b, to, from, dst, src, is_reply ? client : server,
	     is_reply ? server : client, 300);
}

static void dhcp_asks_for_an_answer_to_all(void **state)
{
	struct bench b = begin();

	dhcp(&b, MAC_BROADCAST, one, addr_v4(255, 255, 255, 255),
	     addr_v4(0, 0, 0, 0), false, one);
	assert_false(out(&b));
	assert_int_equal(b.p[DHCP4 + 10], 0x80);
	assert_memory_equal(b.p + DHCP4 + 28, one.b, 6); /* chaddr stays */
	assert_true(udp4_is_right(&b));
	/* Again: the flag is there. */
	memcpy(b.p + 6, one.b, 6);
	assert_false(out(&b));
	assert_true(udp4_is_right(&b));
	assert_int_equal(b.t.n_client, 1);
	/* No checksum stays none. */
	dhcp(&b, MAC_BROADCAST, two, addr_v4(255, 255, 255, 255),
	     addr_v4(0, 0, 0, 0), false, two);
	put_be16(b.p + UDP4 + 6, 0);
	assert_false(out(&b));
	assert_int_equal(b.p[UDP4 + 6] | b.p[UDP4 + 7], 0);
}

/* A server that does not care about the flag sends to the address it gives. */
static void a_lease_finds_who_asked(void **state)
{
	struct bench b = begin();

	dhcp(&b, host, router, ip4(50), ip4(1), true, one);
	assert_false(in(&b));
	dhcp(&b, MAC_BROADCAST, one, addr_v4(255, 255, 255, 255),
	     addr_v4(0, 0, 0, 0), false, one);
	out(&b);
	dhcp(&b, host, router, ip4(50), ip4(1), true, one);
	assert_true(in(&b));
	assert_memory_equal(b.p, one.b, 6);
	dhcp(&b, host, router, ip4(51), ip4(1), true, host);
	assert_false(in(&b)); /* the host's own lease */
	dhcp(&b, MAC_BROADCAST, router, addr_v4(255, 255, 255, 255), ip4(1),
	     true, one);
	assert_true(in(&b));
	assert_memory_equal(b.p, MAC_BROADCAST.b, 6);
}

/* ---- IPv6 ---- */

static void neighbours_are_told_the_host(void **state)
{
	struct bench b = begin();
	addr group = {{0xff, 2}};
	const struct {
		unsigned type, opt;
	} kinds[] = {{135, 1}, {136, 2}};

	group.b[15] = 1;
	for (unsigned i = 0; i < 2; i++) {
		nd(&b, MAC_BROADCAST, one, group, ip6(10), kinds[i].type,
		   kinds[i].opt, one);
		assert_true(nd_is_right(&b));
		assert_true(out(&b) == (i == 0));
		assert_memory_equal(b.p + L4_V6 + 26, host.b, 6);
		assert_true(nd_is_right(&b));
	}
	/* Another's address in it is another's. */
	nd(&b, MAC_BROADCAST, one, group, ip6(10), 136, 2, two);
	out(&b);
	assert_memory_equal(b.p + L4_V6 + 26, two.b, 6);
	/* A sum that is yet to be made is left to who makes it. */
	nd(&b, MAC_BROADCAST, one, group, ip6(10), 135, 1, one);
	put_be16(b.p + L4_V6 + 2, 0x1234);
	(void)!translate_out(&b.t, b.p, b.len, b.len, false, b.now);
	assert_int_equal(b.p[L4_V6 + 2], 0x12);
	assert_memory_equal(b.p + L4_V6 + 26, host.b, 6);
	/* Back. */
	nd(&b, host, router, ip6(10), ip6(1), 136, 2, router);
	assert_true(in(&b));
	assert_memory_equal(b.p, one.b, 6);
	nd(&b, host, router, ip6(11), ip6(1), 136, 2, router);
	assert_false(in(&b));
}

/* Access points send groups to each station by its own MAC. */
static void groups_to_one_mac_are_groups_again(void **state)
{
	static const mac v6 = {{0x33, 0x33, 0, 0, 0, 1}};
	static const mac v4 = {{1, 0, 0x5e, 0x7f, 0, 0xfb}};
	struct bench b = begin();
	addr group = {{0xff, 2}};

	group.b[15] = 1;
	nd(&b, host, router, group, ip6(1), 135, 1, router);
	assert_true(in(&b));
	assert_memory_equal(b.p, v6.b, 6);
	udp4(&b, host, router, addr_v4(224, 255, 0, 251), ip4(1), 9, 9, 20);
	assert_true(in(&b));
	assert_memory_equal(b.p, v4.b, 6);
	udp4(&b, host, router, addr_v4(255, 255, 255, 255), ip4(1), 9, 9, 20);
	assert_true(in(&b));
	assert_memory_equal(b.p, MAC_BROADCAST.b, 6);
}

/* ---- limits ---- */

static void the_silent_give_way(void **state)
{
	const uint64_t s30 = UINT64_C(30000000000);
	struct bench b = begin();

	for (unsigned i = 0; i < TRANSLATE_MAX; i++)
		speaks(&b, one, ip4((uint8_t)(i + 2)));
	assert_int_equal(b.t.n, TRANSLATE_MAX);
	speaks(&b, two, ip4(200));
	goes_to_nobody(&b, ip4(200));
	b.now = s30 + 1;
	speaks(&b, two, ip4(200));
	goes_to(&b, ip4(200), two);
	goes_to_nobody(&b, ip4(2));
	goes_to(&b, ip4(3), one);
	speaks(&b, two, ip4(201));
	speaks(&b, two, ip4(3)); /* known: no place is needed */
	goes_to(&b, ip4(3), two);
}

/* A guest that invents addresses keeps no other out. */
static void who_has_few_takes_from_who_has_most(void **state)
{
	struct bench b = begin();

	b.t.from = 1;
	for (unsigned i = 0; i < TRANSLATE_MAX; i++)
		speaks(&b, one, ip4((uint8_t)(i + 2)));
	b.t.from = 2;
	speaks(&b, two, ip4(200));
	goes_to(&b, ip4(200), two);
	goes_to_nobody(&b, ip4(2));
	b.t.from = 1;
	for (unsigned i = 0; i < 50; i++)
		speaks(&b, one, ip4((uint8_t)(201 + i)));
	goes_to(&b, ip4(200), two);
}

/* ---- the filter ---- */

/* True if the kernel lets the frame of b pass. */
static bool passes(const struct bench *b)
{
	struct sock_filter f[TRANSLATE_FILTER_MAX];
	struct sock_fprog prog = {.filter = f};
	uint8_t got[FRAME_ROOM];
	int fd[2];
	bool passed;

	prog.len = (unsigned short)translate_filter(&b->t, f);
	assert_true(prog.len <= TRANSLATE_FILTER_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd),
			 0);
	assert_int_equal(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				    sizeof(prog)),
			 0);
	assert_int_equal(send(fd[0], b->p, b->len, 0), b->len);
	passed = recv(fd[1], got, sizeof(got), 0) == (ssize_t)b->len;
	close(fd[0]);
	close(fd[1]);
	return passed;
}

static bool passes_udp(struct bench *b, mac to, addr ip)
{
	udp4(b, to, router, ip, ip4(1), 9, 9, 20);
	return passes(b);
}

static bool passes_nd(struct bench *b, mac to, addr ip)
{
	nd(b, to, router, ip, ip6(1), 136, 2, router);
	return passes(b);
}

static void the_filter_passes_what_is_ours(void **state)
{
	struct bench b = begin();
	struct arp_msg m = {.op = ARP_REPLY, .spa = ip4(1), .tpa = ip4(2)};
	addr far6 = ip6(10), group = {{0xff, 2}};
	const mac near_host = {{2, 0, 0, 0, 1, 0xff}};

	far6.b[3] = 1;
	group.b[15] = 1;
	assert_false(passes_udp(&b, host, ip4(10)));
	speaks(&b, one, ip4(10));
	speaks(&b, one, ip4(11));
	nd(&b, router, two, ip6(1), ip6(10), 135, 1, two);
	out(&b);
	assert_true(passes_udp(&b, host, ip4(10)));
	assert_true(passes_udp(&b, host, ip4(11)));
	assert_false(passes_udp(&b, host, ip4(12)));
	assert_false(passes_udp(&b, one, ip4(10)));
	assert_false(passes_udp(&b, near_host, ip4(10)));
	assert_true(passes_udp(&b, MAC_BROADCAST, ip4(12)));
	assert_true(passes_udp(&b, host, addr_v4(224, 0, 0, 251)));
	assert_true(passes_udp(&b, host, addr_v4(255, 255, 255, 255)));
	assert_true(passes_nd(&b, host, ip6(10)));
	assert_false(passes_nd(&b, host, ip6(11)));
	/* Almost one of ours: we are told, the machine is not. */
	nd(&b, host, router, far6, ip6(1), 136, 2, router);
	assert_false(in(&b));
	assert_true(passes_nd(&b, host, group));
	arp(&b, host, router, &m);
	assert_true(passes(&b));
	dhcp(&b, host, router, ip4(99), ip4(1), true, one);
	assert_true(passes(&b));
	eth(&b, host, router, 0x88b5);
	assert_false(passes(&b));
}

static void a_full_filter_fits(void **state)
{
	struct sock_filter f[TRANSLATE_FILTER_MAX];
	struct bench b = begin();
	unsigned n;

	for (unsigned i = 0; i < TRANSLATE_MAX; i++) {
		nd(&b, router, two, ip6(1), ip6((uint8_t)(i + 2)), 135, 1, two);
		assert_true(out(&b));
	}
	assert_true(passes_nd(&b, host, ip6(2)));
	assert_true(passes_nd(&b, host, ip6(TRANSLATE_MAX + 1)));
	assert_false(passes_nd(&b, host, ip6(TRANSLATE_MAX + 2)));
	n = translate_filter(&b.t, f);
	assert_in_range(rig_filter_bytes(f, n), 1, RIG_FILTER_BYTES);
	/* Half of them of IPv4. */
	for (unsigned i = 0; i < TRANSLATE_MAX; i += 2)
		b.t.e[i].ip = ip4((uint8_t)(i + 2));
	assert_true(passes_udp(&b, host, ip4(TRANSLATE_MAX)));
	assert_true(passes_nd(&b, host, ip6(TRANSLATE_MAX + 1)));
	assert_false(passes_nd(&b, host, ip6(TRANSLATE_MAX)));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(arp_names_the_host),
		cmocka_unit_test(the_answer_to_a_probe_is_for_all),
		cmocka_unit_test(an_announcement_names_the_host_twice),
		cmocka_unit_test(addresses_tell_machines_apart),
		cmocka_unit_test(no_machine_has_these),
		cmocka_unit_test(tags_are_looked_behind),
		cmocka_unit_test(what_is_the_hosts_stays_so),
		cmocka_unit_test(dhcp_asks_for_an_answer_to_all),
		cmocka_unit_test(a_lease_finds_who_asked),
		cmocka_unit_test(neighbours_are_told_the_host),
		cmocka_unit_test(groups_to_one_mac_are_groups_again),
		cmocka_unit_test(the_silent_give_way),
		cmocka_unit_test(who_has_few_takes_from_who_has_most),
		cmocka_unit_test(the_filter_passes_what_is_ours),
		cmocka_unit_test(a_full_filter_fits),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
