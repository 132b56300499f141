/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's -nic and -net, as netdev strings: -nic is a netdev and a card in one
 * word, -net puts either on hub 0.  Text in, text out; called by the commands.
 */
#ifndef GRAMMAR_NET_OPTION_H
#define GRAMMAR_NET_OPTION_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"
#include "grammar/nic.h"

enum {
	NET_OPTION_ID_LEN = 64, /* of netdev=, with NUL */
};

enum net_option_what {
	NET_OPTION_NONE,   /* -nic none, -net none */
	NET_OPTION_NETDEV, /* -nic TYPE, -net TYPE */
	NET_OPTION_CARD,   /* -net nic */
};

struct net_option {
	enum net_option_what what;
	char *netdev;	  /* owned; NET_OPTION_NETDEV: what -netdev takes */
	char *hubport;	  /* owned; NULL, or the netdev that puts it on hub
			   * 0: the netdev, or (a card) the LAN itself */
	bool has_model;	  /* the card is named */
	struct nic_spec nic; /* model valid if has_model */
	char peer[NET_OPTION_ID_LEN]; /* -net nic,netdev=: its id; "" = none */
	char device[64]; /* ",addr=..,vectors=.." for QEMU's -device, or "" */
};

#define NET_OPTION_NULL ((struct net_option){.netdev = NULL})

/* True if the text is one for QEMU's -nic rather than the name of a card. */
bool net_option_is_nic(const char *text);
/* Parses and checks what follows -nic.  *op is the caller's
 * (net_option_deinit).  0, or negative with one line in *e (EXIT_USAGE). */
MUST_USE int net_option_nic(const char *text, struct net_option *op,
			    struct error *e);
/* Likewise for -net; number tells one -net of a command from the others. */
MUST_USE int net_option_net(const char *text, unsigned number,
			    struct net_option *op, struct error *e);
void net_option_deinit(struct net_option *o);

#endif
