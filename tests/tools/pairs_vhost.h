/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver and the VMM of such a machine (pairs.c): memory, rings, and the
 * messages of vhost-user that tell the engine of them.
 */
#ifndef TOOLS_PAIRS_VHOST_H
#define TOOLS_PAIRS_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/front_vq.h"

enum {
	PAIRS_MAX = 16,
	RX_SIZE = 128,
	RX_BUF = 2048,
	TX_SIZE = 64,
	TX_BUF = 69632,
	VNET_LEN = 12,
};

struct pair {
	struct vq rx, tx;
	uint8_t *rx_at, *tx_at; /* buffers, one for each descriptor */
	uint16_t free[TX_SIZE];
	unsigned n_free;
	bool is_on;
	bool was_answered;
};

/* The only one of this process. */
extern struct vm {
	unsigned n;
	struct pair pairs[PAIRS_MAX];
	int fd, memfd; /* fd: to the engine, -1 before plug() */
	uint8_t *mem;
	uint64_t len, features;
} vm;

/* Says why, and ends the process with 1: what fails here is the end. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);

/* Connects, and all rings of vm.n pairs run. */
void plug(const char *path);
/* As the engine sees what is in vm.mem. */
uint64_t gpa(const void *p);
/* The same memory once more. */
void tell_memory(void);
/* Stops ring i, of two a pair, and starts it where it stopped. */
void restart(unsigned i);
void enable(unsigned pair, bool on);

#endif
