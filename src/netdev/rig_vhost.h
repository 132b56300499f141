/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user front end with its guest's driver, in a memfd: the peer of a
 * vhost-user port in the tests of this room.  Built on rig.h; fails the test
 * (cmocka) where an answer is wrong.
 */
#ifndef NETDEV_RIG_VHOST_H
#define NETDEV_RIG_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "netdev/rig.h"
#include "netdev/vhost_session.h"

/* Two regions with a hole between them; the front end's own addresses are
 * somewhere else still. */
#define VPEER_GPA_HIGH UINT64_C(0x100000000)
#define VPEER_UVA      UINT64_C(0x7f5500000000)

enum {
	VPEER_DESCS = 8, /* of one frame sent */
	VPEER_FRAME = FRAME_MAX + 128,
};

struct vpeer_config {
	uint64_t features; /* 0: all we offer */
	uint32_t tx_slots; /* frames in flight; a power of two; 0 = 64 */
	uint32_t rx_size;  /* buffers; a power of two; 0 = 256 */
	uint32_t rx_buf;   /* bytes of one; 0 = 1526 */
	unsigned pairs;	   /* queue pairs it uses; 0 = 1 .. */
	unsigned offered;  /* .. and those the port has; 0 = pairs */
	bool by_slots;	   /* ADD_MEM_REG, not SET_MEM_TABLE */
	bool no_protocol;  /* a front end of the first days */
};

struct vpeer_ring {
	uint32_t size;
	uint64_t desc, avail, used; /* offsets into mem */
	uint16_t avail_idx, last_used;
	int kick, call; /* eventfds, owned */
};

struct vpeer {
	struct vpeer_config c;
	struct rig *rig; /* borrowed */
	int fd;		 /* owned; -1: gone */
	int memfd;
	uint8_t *mem; /* owned mapping of len bytes */
	uint64_t len, low; /* bytes; of the first region */
	struct vpeer_ring ring[VHOST_RINGS_MAX];
	/* offsets into mem, of pair 0; the others' are behind */
	uint64_t tx_at, rx_at, table_at;
	uint64_t features;
	uint32_t hdr_len;
	bool *tx_busy; /* owned [pairs * tx_slots] */
	unsigned turn; /* of the ways to lay a frame out */
	unsigned pair; /* the one that sends, see vpeer_send() */
};

/* Connects to fd; nothing is said yet. */
void vpeer_init(struct vpeer *v, struct rig *r, int fd,
		const struct vpeer_config *c);
void vpeer_deinit(struct vpeer *v);
/* The handshake and the start of all rings. */
void vpeer_start(struct vpeer *v);
/* The table of its memory, whole, as at the start. */
void vpeer_share_memory(struct vpeer *v);
/* All rings stop (GET_VRING_BASE); vpeer_rings() starts them where they
 * stopped. */
void vpeer_stop(struct vpeer *v);
void vpeer_rings(struct vpeer *v);
/* The same of one. */
void vpeer_ring_stop(struct vpeer *v, unsigned ring);
void vpeer_ring_start(struct vpeer *v, unsigned ring);
/* Both rings of a pair, as the guest's driver has it done. */
void vpeer_enable(struct vpeer *v, unsigned pair, bool on);
/* The rings of a new driver, with all its buffers. */
void vpeer_start_rings_anew(struct vpeer *v);

/* One message, without its answer. fd -1: none beside it. */
void vpeer_say(struct vpeer *v, uint32_t request, uint32_t flags,
	       const void *payload, uint32_t size, int fd);
/* The next answer's payload; false: the connection ended instead. */
bool vpeer_hear(struct vpeer *v, uint32_t request, void *payload,
		uint32_t size);
uint64_t vpeer_ask(struct vpeer *v, uint32_t request);

/* The driver: true if the frame is in the ring of pair 0; hdr: its virtio
 * header, NULL = zeros. */
bool vpeer_send_hdr(struct vpeer *v, const uint8_t *hdr, const void *p,
		    uint32_t len);
/* By another pair each time that all that was sent has been taken, so that
 * frames stay in order. */
bool vpeer_send(struct vpeer *v, const void *p, uint32_t len);
bool vpeer_send_on(struct vpeer *v, unsigned pair, const uint8_t *hdr,
		   const void *p, uint32_t len);
/* A frame received into p[room] and its buffers given back; 0: none. hdr: its
 * header, may be NULL.  By pair 0; vpeer_recv() by any. */
uint32_t vpeer_recv_on(struct vpeer *v, unsigned pair, uint8_t *hdr, void *p,
		       uint32_t room);
uint32_t vpeer_recv_hdr(struct vpeer *v, uint8_t *hdr, void *p, uint32_t room);
uint32_t vpeer_recv(struct vpeer *v, void *p, uint32_t room);

/* Takes what an eventfd has counted. */
uint64_t vpeer_count(int fd);
/* True if the page of gpa is marked in a log. */
bool vpeer_is_dirty(const uint8_t *log, uint64_t gpa);

/* Offset into mem as the guest's physical address. */
uint64_t vpeer_gpa(const struct vpeer *v, uint64_t off);
/* A descriptor of a ring, for rings that are broken on purpose. */
void vpeer_desc(struct vpeer *v, unsigned ring, uint16_t i, uint64_t gpa,
		uint32_t len, uint16_t flags, uint16_t next);
/* Puts head on offer and kicks. */
void vpeer_offer(struct vpeer *v, unsigned ring, uint16_t head);

#endif
