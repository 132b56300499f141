/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile guests around the TFTP server.  The input is a sequence of records:
 * one byte that says what happens (and to which client), one of length, then
 * bytes: a datagram, a file that is opened, or is none, a disk that is slow,
 * time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "service/fake_room.h"
#include "service/tftp.h"
#include "wire/tftp.h"

#define SECOND UINT64_C(1000000000)

enum what { WHAT_HEAR, WHAT_ACK, WHAT_OPEN, WHAT_DISK, WHAT_WAIT, WHAT_N };

struct world {
	struct fake_room room;
	struct tftp_files files;
	struct tftp *tftp;
	uint64_t number; /* of the last question */
	unsigned n_open, n_slow;
	uint8_t bytes[256];
	size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files_open(void *arg, uint32_t whose, uint64_t number,
		      const char *path)
{
	struct world *w = arg;

	(void)whose;
	if (!*path || *path == '/' || strstr(path, "/../"))
		abort();
	w->number = number;
	return 0;
}

static ssize_t files_read(void *arg, int fd, void *p, size_t len, uint64_t at)
{
	struct world *w = arg;
	const uint64_t size = 70000;
	size_t n = at >= size ? 0 : size - at < len ? size - at : len;

	if (w->n_slow) {
		w->n_slow--;
		return w->n_slow % 7 == 6 ? -EIO : -EAGAIN;
	}
	memset(p, 'x', n);
	return (ssize_t)n;
}

static void files_close(void *arg, int fd)
{
	struct world *w = arg;

	if (!w->n_open--)
		abort();
}

static void hear(struct world *w, uint8_t who, const uint8_t *p, size_t len)
{
	struct packet pkt = fake_room_packet(
		who & 1 ? fake_addr6(20) : addr_v4(10, 0, 2, 20),
		(uint16_t)(5000 + who), fake_mac(who));
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, p, len);
	pkt.dst = (struct endpoint){.ip = who & 1 ? w->room.env.v6.gw
						  : w->room.env.v4.gw,
				    .port = TFTP_PORT};
	tftp_input(w->tftp, &pkt, copy, len);
	free(copy);
	fake_clear(w->room.guest);
}

static void answer(struct world *w, uint8_t n)
{
	bool has_file = n % 4;

	/* Before: what cannot be read is closed at once. */
	w->n_open += has_file;
	if (tftp_opened(w->tftp, w->number, has_file ? 3 : -1, 70000, n) < 0)
		w->n_open -= has_file;
}

static void step(struct world *w, struct rd *r)
{
	uint8_t head = rd_u8(r), n = rd_u8(r), who = head >> 5;
	uint8_t ack[] = {0, TFTP_ACK, 0, n};

	w->len = n < rd_left(r) ? n : rd_left(r);
	switch ((enum what)(head % WHAT_N)) {
	case WHAT_HEAR:
		rd_copy(r, w->bytes, w->len);
		hear(w, who, w->bytes, w->len);
		break;
	case WHAT_ACK:
		hear(w, who, ack, sizeof(ack));
		break;
	case WHAT_OPEN:
		answer(w, n);
		break;
	case WHAT_DISK:
		w->n_slow = n;
		break;
	case WHAT_WAIT:
		fake_lan_advance(&w->room.lan, n * SECOND / 50);
		break;
	case WHAT_N:
		break;
	}
	fake_clear(w->room.guest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct world w = {.n_slow = 0};

	fake_room_init(&w.room);
	w.files = (struct tftp_files){files_open, files_read, files_close, &w};
	if (tftp_new(&w.room.env, &w.files, 1, &w.tftp) < 0)
		abort();
	while (rd_left(&r) >= 2)
		step(&w, &r);
	tftp_free(w.tftp);
	if (w.n_open)
		abort();
	fake_room_deinit(&w.room);
	return 0;
}
