/* SPDX-License-Identifier: BSD-3-Clause */
/* When to rest before waiting for more; see rest.h. */
#include "os/rest.h"

bool rest_pays(struct rest *r, uint64_t now_ns)
{
	uint64_t age = now_ns - r->since_ns;

	if (age >= REST_WINDOW_NS) {
		/* One that nobody closed in time saw a pause. */
		r->is_on = r->n >= REST_FLOOD && age < 2 * REST_WINDOW_NS;
		r->is_on &= !r->is_stream;
		r->since_ns = now_ns;
		r->n = 0;
		r->is_stream = false;
	}
	return r->is_on && !r->is_stream;
}
