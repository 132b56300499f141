/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ops of struct host (base/host.h), for host_sock.c. */
#ifndef OS_HOST_CLOCK_H
#define OS_HOST_CLOCK_H

#include "base/host.h"

uint64_t host_clock_realtime(struct host *h);
void host_clock_state(struct host *h, struct host_clock *c);

#endif
