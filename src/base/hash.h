/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keyed hash of short keys (SipHash-1-3), so that a guest cannot aim for one
 * bucket.  Each table draws its own key from the kernel at start.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0;
	uint64_t k1;
};

/* A random key (getrandom); never fails on a kernel we support. */
struct hash_key hash_key_new(void);
/* Hash of len bytes under key. */
uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t len);

#endif
