/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps for the tests, in a network namespace of their own.  Works as root and,
 * where user namespaces are allowed, as anybody.  Compiled into tests only.
 */
#ifndef NETDEV_RIG_TAP_H
#define NETDEV_RIG_TAP_H

#include <stdbool.h>
#include <stdint.h>

enum { RIG_TAP_QUEUES = 4 };

struct rig_tap {
	char name[16];
	int fds[RIG_TAP_QUEUES]; /* given to the port; -1 afterwards */
	unsigned n_fds;
	int ifindex;
	int packet; /* owned: a packet socket on the interface */
	int ns;	    /* owned: the namespace it is in, -1: this one */
};

/* Moves this process into a namespace of its own; false if not allowed. */
bool rig_netns_enter(void);
/* The same if allowed, with the loopback up: nobody else's is on it. */
void rig_lo_enter(void);
/* A tap named name, up, MTU 65521; false if not allowed.  In another new
 * namespace if far. */
bool rig_tap_open(struct rig_tap *t, const char *name, unsigned n_queues,
		  bool vnet_hdr, bool far);
/* Closes the packet socket and the namespace. */
void rig_tap_close(struct rig_tap *t);
/* Pulls the interface up or down. */
void rig_tap_up(struct rig_tap *t, bool up);
/* The interface's MTU, in this namespace. */
void rig_tap_mtu(struct rig_tap *t, int mtu);
/* Removes the interface. */
void rig_tap_remove(struct rig_tap *t);
/* Sends and receives frames on the interface, as the kernel would. */
bool rig_tap_send(struct rig_tap *t, const void *p, uint32_t len);
uint32_t rig_tap_recv(struct rig_tap *t, void *p, uint32_t room);

#endif
