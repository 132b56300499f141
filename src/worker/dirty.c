/* SPDX-License-Identifier: BSD-3-Clause */
/* Places that changed; see dirty.h. */
#include "worker/dirty.h"

#include <assert.h>
#include <errno.h>

int dirty_init(struct dirty *d, unsigned max)
{
	*d = (struct dirty){.max = max};
	d->ring = calloc(max, sizeof(*d->ring));
	d->is_in = calloc(max, sizeof(*d->is_in));
	if (d->ring && d->is_in)
		return 0;
	dirty_deinit(d);
	return -ENOMEM;
}

void dirty_deinit(struct dirty *d)
{
	free(d->ring);
	free(d->is_in);
	*d = (struct dirty){0};
}

void dirty_put(struct dirty *d, unsigned i)
{
	assert(i < d->max);
	if (d->is_in[i])
		return;
	d->is_in[i] = true;
	d->ring[(d->first + d->n++) % d->max] = i;
}

bool dirty_first(const struct dirty *d, unsigned *ip)
{
	if (d->n == 0)
		return false;
	*ip = d->ring[d->first];
	return true;
}

void dirty_pop(struct dirty *d)
{
	assert(d->n > 0);
	d->is_in[d->ring[d->first]] = false;
	d->first = (d->first + 1) % d->max;
	d->n--;
}
