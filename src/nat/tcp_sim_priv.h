/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the two files of the world around TCP: the clock (tcp_sim.c) and
 * the host's sockets (tcp_sim_host.c). */
#ifndef NAT_TCP_SIM_PRIV_H
#define NAT_TCP_SIM_PRIV_H

#include "nat/tcp_sim.h"

extern const struct host_ops sim_host_ops;

/* Tells the owners what became of their sockets since. */
void sim_host_events(struct sim *s);
/* Ends the connects that are due. */
void sim_host_connects(struct sim *s);
/* When the next connect is due, UINT64_MAX if none is. */
uint64_t sim_host_due(const struct sim *s);

#endif
