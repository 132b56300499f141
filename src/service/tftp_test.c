/* SPDX-License-Identifier: BSD-3-Clause */
/* The TFTP server: transfers packet by packet, under a virtual clock. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_room.h"
#include "service/tftp.h"
#include "wire/tftp.h"

#define SECOND UINT64_C(1000000000)
#define MS     UINT64_C(1000000)

enum { FD = 7, GUEST_PORT = 2000 };

struct bench {
	struct fake_room room;
	struct tftp_files files;
	struct tftp *tftp;
	/* the files */
	unsigned n_asked; /* and answered by the test */
	uint64_t number;  /* of the last one */
	char path[TFTP_NAME_LEN];
	int open_err;
	unsigned n_closed;
	uint64_t size;
	ssize_t read_err; /* of the next n_read_err reads */
	unsigned n_read_err;
	/* the client */
	addr ip;
	uint16_t port;
};

static int files_open(void *arg, uint32_t whose, uint64_t number,
		      const char *path)
{
	struct bench *b = arg;

	assert_int_equal(whose, 3);
	if (b->open_err)
		return b->open_err;
	b->n_asked++;
	b->number = number;
	snprintf(b->path, sizeof(b->path), "%s", path);
	return 0;
}

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static ssize_t files_read(void *arg, int fd, void *p, size_t len, uint64_t at)
{
	struct bench *b = arg;
	size_t n = at >= b->size ? 0 : b->size - at < len ? b->size - at : len;

	assert_int_equal(fd, FD);
	if (b->n_read_err) {
		b->n_read_err--;
		return b->read_err;
	}
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = byte_at(at + i);
	return (ssize_t)n;
}

static void files_close(void *arg, int fd)
{
	struct bench *b = arg;

	assert_int_equal(fd, FD);
	b->n_closed++;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_room_init(&b->room);
	b->files = (struct tftp_files){files_open, files_read, files_close, b};
	assert_int_equal(tftp_new(&b->room.env, &b->files, 3, &b->tftp), 0);
	b->ip = addr_v4(10, 0, 2, 15);
	b->port = GUEST_PORT;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	tftp_free(b->tftp);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

static struct endpoint server(const struct bench *b)
{
	return (struct endpoint){.ip = addr_is_v4(&b->ip) ? b->room.env.v4.gw
							  : b->room.env.v6.gw,
				 .port = TFTP_PORT};
}

static void hear(struct bench *b, const void *p, size_t len)
{
	struct packet pkt = fake_room_packet(b->ip, b->port, fake_mac(1));

	pkt.dst = server(b);
	fake_clear(b->room.guest);
	tftp_input(b->tftp, &pkt, p, len);
}

/* A literal behind the opcode, with its last NUL. */
#define ASK(b, text) ask(b, text, sizeof(text))

static void ask(struct bench *b, const char *text, size_t len)
{
	uint8_t buf[1024] = {0, TFTP_RRQ};

	memcpy(buf + 2, text, len);
	hear(b, buf, len + 2);
}

static void ack(struct bench *b, unsigned block)
{
	const uint8_t buf[] = {0, TFTP_ACK, (uint8_t)(block >> 8),
			       (uint8_t)block};

	hear(b, buf, sizeof(buf));
}

static int opened(struct bench *b, uint64_t size)
{
	b->size = size;
	fake_clear(b->room.guest);
	return tftp_opened(b->tftp, b->number, FD, size, 0);
}

static void later(struct bench *b, uint64_t ns)
{
	fake_clear(b->room.guest);
	fake_lan_advance(&b->room.lan, ns);
}

/* Slowly: all timers that are due go off. */
static void pass(struct bench *b, uint64_t ns)
{
	fake_clear(b->room.guest);
	for (uint64_t t = 0; t < ns; t += 5 * MS)
		fake_lan_advance(&b->room.lan, 5 * MS);
}

static struct fake_dgram got(const struct bench *b, unsigned i)
{
	const struct endpoint from = server(b);
	struct fake_dgram g;

	assert_true(fake_room_got(&b->room, i, &g));
	assert_true(endpoint_eq(&g.pkt.src, &from));
	assert_true(addr_eq(&g.pkt.dst.ip, &b->ip));
	assert_int_equal(g.pkt.dst.port, b->port);
	return g;
}

/* The i-th datagram is this block of this length. */
static void expect_data(const struct bench *b, unsigned i, uint64_t block,
			size_t blksize, size_t len)
{
	struct fake_dgram g = got(b, i);

	assert_int_equal(g.len, TFTP_DATA_LEN + len);
	assert_int_equal(g.data[1], TFTP_DATA);
	assert_int_equal(g.data[2] << 8 | g.data[3], (uint16_t)block);
	for (size_t k = 0; k < len; k++)
		assert_int_equal(g.data[TFTP_DATA_LEN + k],
				 byte_at((block - 1) * blksize + k));
}

static void expect_n(const struct bench *b, unsigned n)
{
	assert_int_equal(b->room.guest->n_out, n);
}

static void expect_error(const struct bench *b, unsigned code)
{
	struct fake_dgram g;

	expect_n(b, 1);
	g = got(b, 0);
	assert_int_equal(g.data[1], TFTP_ERROR);
	assert_int_equal(g.data[3], code);
	assert_int_equal(g.data[g.len - 1], 0);
}

/* An OACK with exactly these options, a literal. */
#define EXPECT_OACK(b, text) expect_oack(b, text, sizeof(text))

static void expect_oack(const struct bench *b, const char *text, size_t len)
{
	struct fake_dgram g;

	expect_n(b, 1);
	g = got(b, 0);
	assert_int_equal(g.data[1], TFTP_OACK);
	assert_int_equal(g.len, 2 + len);
	assert_memory_equal(g.data + 2, text, len);
}

static uint64_t drops(const struct bench *b, enum drop_reason why)
{
	return b->room.lan.drops.n[why];
}

static void expect_over(const struct bench *b)
{
	assert_int_equal(tftp_n(b->tftp), 0);
	assert_int_equal(b->n_closed, 1);
}

/* --- the plain protocol --- */

static void test_whole_file(void **state)
{
	struct bench *b = *state;

	ASK(b, "/pxelinux.0\0octet");
	expect_n(b, 0); /* the file is not there yet */
	assert_string_equal(b->path, "pxelinux.0");
	assert_int_equal(opened(b, 1100), 0);
	expect_n(b, 1);
	expect_data(b, 0, 1, 512, 512);
	ack(b, 1);
	expect_data(b, 0, 2, 512, 512);
	ack(b, 2);
	expect_data(b, 0, 3, 512, 76);
	ack(b, 3);
	expect_n(b, 0);
	expect_over(b);
	ack(b, 3); /* its last one again */
	expect_n(b, 0);
}

/* A file of whole blocks ends with an empty one; an empty file is one. */
static void test_empty_block(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 512), 0);
	ack(b, 1);
	expect_data(b, 0, 2, 512, 0);
	ack(b, 2);
	expect_over(b);
	b->n_closed = 0;
	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 0), 0);
	expect_data(b, 0, 1, 512, 0);
	ack(b, 1);
	expect_over(b);
}

static void test_ipv6(void **state)
{
	struct bench *b = *state;

	b->ip = fake_addr6(15);
	ASK(b, "a\0octet\0blksize\0" "65464");
	assert_int_equal(opened(b, 5000), 0);
	EXPECT_OACK(b, "blksize\0" "1448"); /* 1500 - 40 - 8 - 4 */
	ack(b, 0);
	expect_data(b, 0, 1, 1448, 1448);
}

static void test_options(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0tsize\0" "0\0blksize\0" "1468\0timeout\0"
	       "7\0windowsize\0" "4\0unknown\0" "1");
	assert_int_equal(opened(b, 6000), 0);
	EXPECT_OACK(b, "blksize\0" "1468\0tsize\0" "6000\0timeout\0"
		       "7\0windowsize\0" "4");
	ack(b, 0);
	expect_n(b, 4);
	for (unsigned i = 0; i < 4; i++)
		expect_data(b, i, i + 1, 1468, 1468);
	ack(b, 4);
	expect_n(b, 1);
	expect_data(b, 0, 5, 1468, 128);
	ack(b, 5);
	expect_over(b);
}

/* What is more than we or the network carry is answered by less. */
static void test_too_much(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0blksize\0" "9000\0windowsize\0" "65535");
	assert_int_equal(opened(b, 1 << 20), 0);
	EXPECT_OACK(b, "blksize\0" "1468\0windowsize\0" "32");
	ack(b, 0);
	expect_n(b, TFTP_WINDOW);
}

static void test_small_network(void **state)
{
	struct bench *b = *state;

	b->room.env.mtu = 576;
	ASK(b, "a\0octet\0blksize\0" "1468");
	assert_int_equal(opened(b, 6000), 0);
	EXPECT_OACK(b, "blksize\0" "544");
}

/* Firmware that wants to know the size asks and goes. */
static void test_error_ends(void **state)
{
	struct bench *b = *state;
	static const uint8_t bye[] = {0, TFTP_ERROR, 0, 8, 'x', 0};

	ASK(b, "a\0octet\0tsize\0" "0");
	assert_int_equal(opened(b, UINT64_C(1) << 40), 0);
	EXPECT_OACK(b, "tsize\0" "1099511627776");
	hear(b, bye, sizeof(bye));
	expect_n(b, 0);
	expect_over(b);
}

/* More blocks than their numbers: 0 comes after 65535. */
static void test_numbers_wrap(void **state)
{
	struct bench *b = *state;
	uint64_t n_blocks = 65536 * 2 + 3;

	ASK(b, "a\0octet\0blksize\0" "8\0windowsize\0" "32");
	assert_int_equal(opened(b, (n_blocks - 1) * 8), 0);
	ack(b, 0);
	for (uint64_t acked = 0; acked < n_blocks;) {
		unsigned n = b->room.guest->n_out;

		assert_true(n && n <= TFTP_WINDOW);
		expect_data(b, 0, acked + 1, 8, acked + 1 < n_blocks ? 8 : 0);
		acked += n;
		expect_data(b, n - 1, acked, 8, acked < n_blocks ? 8 : 0);
		ack(b, (uint16_t)acked);
	}
	expect_n(b, 0);
	expect_over(b);
}

/* --- losses --- */

static void test_silence(void **state)
{
	struct bench *b = *state;
	unsigned n = 0;

	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 600), 0);
	later(b, SECOND - 20 * MS);
	expect_n(b, 0);
	later(b, 40 * MS);
	expect_n(b, 1);
	expect_data(b, 0, 1, 512, 512);
	later(b, 2 * SECOND - 40 * MS); /* twice as long */
	expect_n(b, 0);
	later(b, 80 * MS);
	expect_n(b, 1);
	ack(b, 1);
	expect_data(b, 0, 2, 512, 88);
	while (tftp_n(b->tftp) && n < 100) {
		later(b, SECOND);
		n++;
	}
	/* 1, 2, 4, 8, 8, 8 seconds, each seen up to one late */
	assert_in_range(n, 31, 37);
	assert_int_equal(drops(b, DROP_TFTP_SILENT), 1);
	expect_over(b);
}

static void test_chosen_timeout(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0timeout\0" "3");
	assert_int_equal(opened(b, 600), 0);
	for (unsigned i = 1; i < TFTP_TRIES; i++) {
		later(b, 3 * SECOND - 100 * MS);
		expect_n(b, 0);
		later(b, 200 * MS);
		EXPECT_OACK(b, "timeout\0" "3");
	}
	later(b, 4 * SECOND);
	expect_over(b);
}

/* An ACK that came twice sends nothing twice, now or later. */
static void test_no_apprentice(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 5000), 0);
	ack(b, 1);
	expect_n(b, 1);
	for (unsigned i = 0; i < 3; i++) {
		ack(b, 1);
		expect_n(b, 0);
		later(b, 200 * MS);
	}
	ack(b, 2);
	expect_n(b, 1);
	expect_data(b, 0, 3, 512, 512);
	/* one of nothing that was sent, and an old one */
	ack(b, 4);
	expect_n(b, 0);
	ack(b, 1);
	expect_n(b, 0);
	ack(b, 65535);
	expect_n(b, 0);
}

static void test_request_again(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0blksize\0" "1000");
	ASK(b, "a\0octet\0blksize\0" "1000");
	assert_int_equal(b->n_asked, 1); /* it is being opened */
	assert_int_equal(opened(b, 5000), 0);
	ASK(b, "a\0octet\0blksize\0" "1000");
	expect_n(b, 0); /* our answer crossed it */
	later(b, 300 * MS);
	ASK(b, "a\0octet\0blksize\0" "1000");
	EXPECT_OACK(b, "blksize\0" "1000");
	ack(b, 0);
	ack(b, 1);
	/* the machine starts anew, from the port it had */
	ASK(b, "a\0octet\0blksize\0" "1000");
	expect_n(b, 0);
	assert_int_equal(b->n_asked, 2);
	assert_int_equal(b->n_closed, 1);
	assert_int_equal(tftp_n(b->tftp), 1);
	assert_int_equal(opened(b, 5000), 0);
	/* or wants something else */
	ASK(b, "b\0octet");
	assert_int_equal(b->n_asked, 3);
	assert_int_equal(b->n_closed, 2);
	assert_string_equal(b->path, "b");
}

static void test_gap_in_window(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0blksize\0" "100\0windowsize\0" "8");
	assert_int_equal(opened(b, 2000), 0);
	ack(b, 0);
	expect_n(b, 8);
	ack(b, 3); /* 4 was lost */
	expect_n(b, 8);
	expect_data(b, 0, 4, 100, 100);
	expect_data(b, 7, 11, 100, 100);
	/* 4 is lost again: not at once, or each copy would beget one */
	ack(b, 3);
	expect_n(b, 0);
	later(b, 150 * MS);
	ack(b, 3);
	expect_n(b, 8);
	expect_data(b, 0, 4, 100, 100);
	ack(b, 3);
	expect_n(b, 0);
	/* nothing comes back: all again by the clock */
	later(b, 1100 * MS);
	expect_n(b, 8);
	ack(b, 11);
	expect_n(b, 8);
	ack(b, 19);
	expect_n(b, 2);
	expect_data(b, 1, 21, 100, 0);
	later(b, 1100 * MS);
	expect_n(b, 2);
	ack(b, 21);
	expect_over(b);
}

/* --- files --- */

static void test_slow_disk(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet\0windowsize\0" "4");
	assert_int_equal(opened(b, 5000), 0);
	b->read_err = -EAGAIN;
	b->n_read_err = 3;
	ack(b, 0);
	expect_n(b, 0);
	ack(b, 0); /* changes nothing */
	pass(b, 50 * MS);
	expect_n(b, 4);
	b->n_read_err = 1000000;
	ack(b, 4);
	pass(b, 9 * SECOND);
	expect_n(b, 0);
	assert_int_equal(tftp_n(b->tftp), 1);
	assert_in_range(1000000 - b->n_read_err, 100, 300);
	pass(b, 2 * SECOND);
	expect_error(b, TFTP_E_TEXT);
	expect_over(b);
}

static void test_bad_disk(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet");
	b->read_err = -EIO;
	b->n_read_err = 1;
	assert_int_equal(opened(b, 5000), 0);
	expect_error(b, TFTP_E_TEXT);
	expect_over(b);
}

/* A file that is cut short while it is sent ends there. */
static void test_file_shrinks(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 5000), 0);
	b->size = 100;
	ack(b, 1);
	expect_data(b, 0, 2, 512, 0);
	ack(b, 2);
	expect_over(b);
}

static void test_no_file(void **state)
{
	static const struct {
		int err;
		unsigned code;
	} cases[] = {
		{ENOENT, TFTP_E_NOT_FOUND}, {ENOTDIR, TFTP_E_NOT_FOUND},
		{ENAMETOOLONG, TFTP_E_NOT_FOUND}, {EXDEV, TFTP_E_ACCESS},
		{EACCES, TFTP_E_ACCESS},    {ELOOP, TFTP_E_ACCESS},
		{EISDIR, TFTP_E_ACCESS},    {EINVAL, TFTP_E_ACCESS},
		{EMFILE, TFTP_E_TEXT},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ASK(b, "a\0octet");
		assert_int_equal(tftp_opened(b->tftp, b->number, -1, 0,
					     cases[i].err), 0);
		expect_error(b, cases[i].code);
		assert_int_equal(tftp_n(b->tftp), 0);
	}
	assert_int_equal(b->n_closed, 0);
}

/* An answer that nobody waits for leaves the file where it was. */
static void test_answer_too_late(void **state)
{
	struct bench *b = *state;

	ASK(b, "a\0octet");
	later(b, (TFTP_OPEN_S + 1) * SECOND);
	expect_n(b, 0);
	assert_int_equal(drops(b, DROP_TFTP_SILENT), 1);
	assert_int_equal(opened(b, 100), -ENOENT);
	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 5000), 0);
	assert_int_equal(opened(b, 5000), -ENOENT); /* twice */
	assert_int_equal(b->n_closed, 0);
	assert_int_equal(tftp_n(b->tftp), 1);
}

/* --- what is refused --- */

static void test_names(void **state)
{
	static const char *const bad[] = {
		"../etc/passwd", "/../etc/passwd", "a/../b", "a/..", "..",
		"..\\boot.ini", "a/../../b", "dir/", "/", "\\", "a\\",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[64];
		size_t len = strlen(bad[i]) + 1;

		memcpy(text, bad[i], len);
		memcpy(text + len, "octet", 6);
		ask(b, text, len + 6);
		expect_error(b, TFTP_E_ACCESS);
	}
	assert_int_equal(b->n_asked, 0);
	ASK(b, "\\Boot\\BCD\0octet");
	assert_string_equal(b->path, "Boot/BCD");
	ASK(b, "//a/..b/...\0octet");
	assert_string_equal(b->path, "a/..b/...");
}

static void test_what_is_not_served(void **state)
{
	static const uint8_t wrq[] = "\0\2a\0octet", data[] = {0, 3, 0, 1, 9};
	static const uint8_t cut[] = {0, 4, 0}, odd[] = {0, 9, 0, 0};
	struct bench *b = *state;

	ASK(b, "a\0netascii");
	expect_error(b, TFTP_E_ILLEGAL);
	ASK(b, "a\0mail");
	expect_error(b, TFTP_E_ILLEGAL);
	hear(b, wrq, sizeof(wrq));
	expect_error(b, TFTP_E_ACCESS);
	ask(b, "a\0octet", 7);
	expect_error(b, TFTP_E_ILLEGAL);
	assert_int_equal(drops(b, DROP_TFTP_BAD), 1);
	/* To these there is no answer: it might be answered. */
	hear(b, data, sizeof(data));
	hear(b, cut, sizeof(cut));
	hear(b, odd, sizeof(odd));
	hear(b, odd, 0);
	hear(b, odd, 1);
	expect_n(b, 0);
	assert_int_equal(drops(b, DROP_TFTP_BAD), 6);
	ack(b, 0);
	expect_n(b, 0);
	assert_int_equal(b->n_asked, 0);
}

/* Files that are not opened do not fill the table, and transfers that nobody
 * goes on with neither; when they are over there is room again. */
static void test_half_open(void **state)
{
	struct bench *b = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++) {
		b->port = (uint16_t)(3000 + i);
		ASK(b, "a\0octet");
	}
	assert_int_equal(b->n_asked, TFTP_OPENINGS);
	assert_int_equal(drops(b, DROP_TFTP_BUSY), 100 - TFTP_OPENINGS);
	expect_error(b, TFTP_E_TEXT);
	later(b, (TFTP_OPEN_S + 1) * SECOND);
	assert_int_equal(tftp_n(b->tftp), 0);
	for (unsigned i = 0; i < 10000; i++) {
		b->port = (uint16_t)(3000 + i);
		ASK(b, "a\0octet");
		n += b->room.guest->n_out == 0;
		if (!b->room.guest->n_out)
			assert_int_equal(opened(b, 600), 0);
	}
	assert_int_equal(n, TFTP_TRANSFERS);
	assert_int_equal(tftp_n(b->tftp), TFTP_TRANSFERS);
	b->port = 3000; /* one of them goes on */
	ack(b, 1);
	expect_data(b, 0, 2, 512, 88);
	ack(b, 2);
	assert_int_equal(tftp_n(b->tftp), TFTP_TRANSFERS - 1);
	for (unsigned i = 0; i < 60; i++)
		later(b, SECOND);
	assert_int_equal(tftp_n(b->tftp), 0);
	assert_int_equal(b->n_closed, TFTP_TRANSFERS);
}

/* Who asks and leaves again has asked: the files do not hear of more than
 * TFTP_OPENINGS at a time. */
static void test_ask_and_leave(void **state)
{
	static const uint8_t error[] = {0, TFTP_ERROR, 0, 0, 0};
	struct bench *b = *state;
	char text[] = "00\0octet";

	for (unsigned i = 0; i < 1000; i++) {
		text[0] = (char)('a' + i % 26);
		text[1] = (char)('a' + i / 26 % 26);
		ask(b, text, sizeof(text));
		if (i % 2)
			hear(b, error, sizeof(error));
	}
	assert_int_equal(b->n_asked, TFTP_OPENINGS);
	/* What they said counts: nobody waits for it, but there is room. */
	assert_int_equal(opened(b, 1), -ENOENT);
	ASK(b, "more\0octet");
	assert_int_equal(b->n_asked, TFTP_OPENINGS + 1);
	assert_string_equal(b->path, "more");
	assert_int_equal(opened(b, 1), 0);
	expect_data(b, 0, 1, 512, 1);
	/* They do not answer at all. */
	pass(b, (TFTP_OPEN_S + 1) * SECOND);
	ack(b, 1);
	assert_int_equal(tftp_n(b->tftp), 0);
	assert_int_equal(b->n_closed, 1);
}

static void test_files_are_busy(void **state)
{
	struct bench *b = *state;

	b->open_err = -EAGAIN;
	ASK(b, "a\0octet");
	expect_n(b, 0);
	assert_int_equal(tftp_n(b->tftp), 0);
	assert_int_equal(drops(b, DROP_TFTP_BUSY), 1);
	b->open_err = 0;
	ASK(b, "a\0octet");
	assert_int_equal(b->n_asked, 1);
}

/* Somebody else at the client's port, and another address of ours. */
static void test_strangers(void **state)
{
	struct bench *b = *state;
	static const uint8_t one[] = {0, TFTP_ACK, 0, 1};
	struct packet pkt;

	ASK(b, "a\0octet");
	assert_int_equal(opened(b, 5000), 0);
	b->ip = addr_v4(10, 0, 2, 16);
	ack(b, 1);
	expect_n(b, 0);
	pkt = fake_room_packet(addr_v4(10, 0, 2, 15), GUEST_PORT, fake_mac(1));
	pkt.dst = (struct endpoint){.ip = addr_v4(10, 0, 2, 3),
				    .port = TFTP_PORT};
	tftp_input(b->tftp, &pkt, one, sizeof(one));
	expect_n(b, 0);
	b->ip = addr_v4(10, 0, 2, 15);
	ack(b, 1);
	expect_n(b, 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_whole_file),	    TEST(test_empty_block),
		TEST(test_ipv6),	    TEST(test_options),
		TEST(test_too_much),	    TEST(test_small_network),
		TEST(test_error_ends),	    TEST(test_numbers_wrap),
		TEST(test_silence),	    TEST(test_chosen_timeout),
		TEST(test_no_apprentice),   TEST(test_request_again),
		TEST(test_gap_in_window),   TEST(test_slow_disk),
		TEST(test_bad_disk),	    TEST(test_file_shrinks),
		TEST(test_no_file),	    TEST(test_answer_too_late),
		TEST(test_names),	    TEST(test_what_is_not_served),
		TEST(test_half_open),	    TEST(test_ask_and_leave),
		TEST(test_files_are_busy),  TEST(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
