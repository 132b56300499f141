/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's parts, put together and taken apart in order. */
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>

int worker_new(struct log *log, const struct host_sock_limits *limits,
	       struct drops *drops, struct worker **wp)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->log = log;
	w->drops = drops;
	r = loop_new(&w->loop);
	if (r < 0)
		goto err_free;
	r = host_sock_new(w->loop, limits, &w->host);
	if (r < 0)
		goto err_loop;
	*wp = w;
	return 0;

err_loop:
	loop_free(w->loop);
err_free:
	free(w);
	return r;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	host_sock_free(w->host);
	loop_free(w->loop);
	free(w);
	return NULL;
}
