/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See rng.h: a linear congruential generator whose high bits choose how they
 * are shown (M. O'Neill, "PCG", 2014, XSH RR 64/32).  Any thread; the state is
 * the caller's.
 */
#include "base/rng.h"

/* What comes of near seeds is far apart (Stafford's variant 13 of the
 * finaliser of MurmurHash3). */
static uint64_t spread(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream)
{
	r->step = spread(stream + UINT64_C(0x9e3779b97f4a7c15)) | 1;
	r->state = spread(seed + r->step);
	(void)rng_u32(r); /* the first shows the seed's bits */
}

uint32_t rng_u32(struct rng *r)
{
	uint64_t old = r->state;
	uint32_t x = (uint32_t)((old >> 18 ^ old) >> 27);
	unsigned turn = (unsigned)(old >> 59);

	r->state = old * UINT64_C(6364136223846793005) + r->step;
	return x >> turn | x << (-turn & 31);
}
