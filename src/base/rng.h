/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chance that can be repeated: the same seed and stream give the same numbers,
 * on each machine.  For experiments, never for secrets.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
	uint64_t step; /* odd; another one is another stream */
};

/* Streams of one seed have nothing to do with each other. */
void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
/* 0 to UINT32_MAX, each as likely. */
uint32_t rng_u32(struct rng *r);

/* 0 to n - 1. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((uint64_t)rng_u32(r) * n >> 32);
}

#endif
