/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this host lets vmlan do: each question is tried, where trying leaves
 * nothing behind (links are made in a namespace of a child), and each answer
 * that is no comes with the command that makes it yes.
 */
#ifndef OS_PROBE_H
#define OS_PROBE_H

enum probe {
	PROBE_RUNDIR,  /* a folder for networks */
	PROBE_NOFILE,  /* descriptors enough for many connections */
	PROBE_PING,    /* guests' pings leave the host */
	PROBE_USERNS,  /* namespaces of a user's own */
	PROBE_NETNS,   /* a network of one's own, by these or as root */
	PROBE_TUN,     /* taps, in such a namespace */
	PROBE_ROOT,    /* links and addresses of this host may be changed */
	PROBE_RAW,     /* packet sockets */
	PROBE_BRIDGE,  /* the kernel has bridges */
	PROBE_MACVTAP, /* and macvtaps */
	PROBE_NFT,     /* nftables, by its program */
	PROBE_FORWARD, /* IPv4 forwarding is on, or can be set */
	PROBE_FIREWALL, /* no chain of others drops what is forwarded */
	PROBE_PLACE,   /* a bridge to plug into is there */
	PROBE_HELPER,  /* QEMU's bridge helper, with the rights it needs */
	PROBE_ACL,     /* its file allows that bridge, or br0 */
	N_PROBES,
};

enum probe_state {
	PROBE_YES,
	PROBE_NO,
	PROBE_UNKNOWN, /* cannot be tried here; what tells why */
};

struct finding {
	enum probe_state state;
	char what[256]; /* is the matter; "" if yes */
	char fix[256];  /* one command of a shell; "" if yes or unknown */
};

struct probe_opts {
	const char *helper; /* path of QEMU's bridge helper */
	const char *acl;    /* and of its file */
};

/* One word for each. */
extern const char *const probe_names[N_PROBES];

/* Asks all; v has N_PROBES. */
void probe_all(const struct probe_opts *o, struct finding *v);

#endif
