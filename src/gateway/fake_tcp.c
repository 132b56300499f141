/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for nat/tcp in the gateway's first tests. */
#include "base/list.h"
#include "nat/tcp.h"

#include <stdlib.h>

struct tcp {
	const struct nat_env *env;
};
int tcp_new(const struct nat_env *env, const struct tcp_config *c,
	    struct tcp **tcpp)
{
	*tcpp = calloc(1, sizeof(**tcpp));
	(*tcpp)->env = env;
	return 0;
}
struct tcp *tcp_free(struct tcp *t)
{
	free(t);
	return NULL;
}
void tcp_input(struct tcp *t, const struct packet *pkt, const struct frame *f)
{
}
void tcp_flush(struct tcp *t)
{
}
void tcp_room(struct tcp *t)
{
}
int tcp_connect_guest(struct tcp *t, struct host_sock *sock,
		      const struct endpoint *guest, const struct endpoint *peer)
{
	t->env->host->ops->close(t->env->host, sock, true);
	return 0;
}
void tcp_set_report(struct tcp *t, const struct tcp_report *r)
{
}
void tcp_stats(const struct tcp *t, struct tcp_stats *sp)
{
	*sp = (struct tcp_stats){0};
}
