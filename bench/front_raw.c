/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the machine gives and takes: its tap's frames, or equal ones that
 * nothing but their number is asked of.  Both are counted here; see front.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "front.h"

enum {
	LOCAL = 0x02, /* first byte of an address that nobody has assigned */
};

static void address(uint8_t *at, unsigned last)
{
	memset(at, 0, FRONT_MAC_LEN);
	at[0] = LOCAL;
	at[FRONT_MAC_LEN - 1] = (uint8_t)last;
}

void front_raw_init(struct front *f)
{
	/* IEEE 802's type for experiments: no kernel has a use for it. */
	static const uint8_t type[] = {0x88, 0xb5};
	uint8_t *at = f->raw.frame + FRONT_VNET_LEN;

	address(f->mac, f->o.me);
	if (f->o.raw == FRONT_SEND)
		address(at, f->o.to);
	else
		memset(at, 0xff, FRONT_MAC_LEN);
	memcpy(at + FRONT_MAC_LEN, f->mac, FRONT_MAC_LEN);
	memcpy(at + 2 * FRONT_MAC_LEN, type, sizeof(type));
	f->raw.left = f->o.raw == FRONT_SEND ? UINT64_MAX : 1;
}

static ssize_t take_raw(struct front *f, void *to, size_t room)
{
	const uint8_t *from = f->raw.frame;
	size_t len = FRONT_VNET_LEN + f->o.size;

	if (!f->vnet) {
		from += FRONT_VNET_LEN;
		len -= FRONT_VNET_LEN;
	}
	if (f->raw.left == 0 || len > room) {
		errno = EAGAIN;
		return -1;
	}
	f->raw.left--;
	memcpy(to, from, len);
	return (ssize_t)len;
}

ssize_t front_take(struct front *f, void *to, size_t room)
{
	ssize_t n = f->o.raw ? take_raw(f, to, room) : read(f->tap, to, room);

	if (n > 0) {
		f->c.up_frames++;
		f->c.up_bytes += (uint64_t)n - (f->vnet ? FRONT_VNET_LEN : 0);
	}
	return n;
}

void front_give(struct front *f, const struct iovec *iov, int n, uint64_t len)
{
	ssize_t r = 0;

	if (!f->o.raw)
		r = n == 1 ? write(f->tap, iov->iov_base, iov->iov_len)
			   : writev(f->tap, iov, n);
	if (r < 0) {
		f->c.refused++;
		return;
	}
	f->c.down_frames++;
	f->c.down_bytes += len - (f->vnet ? FRONT_VNET_LEN : 0);
}
