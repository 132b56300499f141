/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files that parse a netdev string share: the items of the text
 * (netdev_lex.c), their values (netdev_value.c), the rules between keys
 * (netdev_check.c).  Included by those files and netdev_spec.c only.
 */
#ifndef GRAMMAR_NETDEV_PRIV_H
#define GRAMMAR_NETDEV_PRIV_H

#include <stdio.h>

#include "base/subnet.h"
#include "grammar/netdev_spec.h"

/* The three ways to write a netdev. */
enum netdev_form {
	FORM_CLASSIC,
	FORM_KEYVAL,
	FORM_JSON,
};

/* One key of the text; socket addresses come as "addr.host" in every form,
 * lists as a repeated key. */
struct netdev_item {
	char *key;   /* owned */
	char *value; /* owned; NULL: the key stands alone, without '=' */
};

struct netdev_items {
	struct netdev_item *v; /* owned */
	size_t n, room;
	enum netdev_form form;
};

/* Splits text.  Keys other than type are not judged here, except in JSON:
 * there they are of the kind's table, and the values of the type it asks. */
MUST_USE int netdev_lex(const char *text, struct netdev_items *items,
			struct error *e);
void netdev_items_deinit(struct netdev_items *items);
/* The kind named by type=, or NULL with the reason in *e. */
const struct netdev_kind *netdev_items_kind(const struct netdev_items *items,
					    struct error *e);

/* One option's value; u, i or b is valid as the option's type says. */
struct value {
	bool is_set; /* given in the text, not only by default */
	bool b;
	uint64_t u;
	int64_t i;
	char *str;  /* as typed; owned */
	char **list; /* OPT_LIST; owned, each owned */
	size_t n_list;
	struct sockaddr_value *addr; /* OPT_SOCKADDR; owned */
};

enum {
	SOCKADDR_N_MEMBERS = 17,
};

struct sockaddr_value {
	struct value members[SOCKADDR_N_MEMBERS];
	struct sock_addr_spec spec; /* points into members */
};

struct netdev_spec {
	const struct netdev_kind *kind;
	enum netdev_form form;
	char *id;	      /* owned; NULL if not given */
	struct value *values; /* by index of kind->options; owned */
	size_t n_values;
};

/* Stores text as the value of opt; name is the full key for the error. */
MUST_USE int value_set(struct netdev_spec *s, struct value *v,
		       const struct netdev_option *opt, const char *name,
		       const char *text, struct error *e);
void value_deinit(struct value *v);

/* Judges the members of all socket addresses and fills their specs. */
MUST_USE int netdev_check_addrs(struct netdev_spec *s, struct error *e);
/* The rules between the keys of one kind. */
MUST_USE int netdev_check(const struct netdev_spec *s, struct error *e);

/* The key, if given, is the number of a descriptor. */
MUST_USE int netdev_check_fd(const struct netdev_spec *s, const char *key,
			     struct error *e);

/* The same of numbers N:N:.. */
MUST_USE int netdev_check_fds(const struct netdev_spec *s, const char *key,
			      struct error *e);

/* The text of this key is a port, by number or, unless is_numeric, by name. */
MUST_USE int netdev_check_port(const struct netdev_kind *kind, const char *key,
			       const char *port, bool is_numeric,
			       struct error *e);

/* The key, if given, is the name of an interface. */
MUST_USE int netdev_check_ifname(const struct netdev_spec *s, const char *key,
				 struct error *e);
/* mac=, if given, is the address of one card. */
MUST_USE int netdev_check_mac(const struct netdev_spec *s, struct error *e);

/* The rules of single kinds: netdev_check_uplink.c. */
MUST_USE int netdev_check_bridge(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_hostif(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_router(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_macvtap(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_af_xdp(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_packet(const struct netdev_spec *s, struct error *e);
/* netdev_check_tunnel.c */
MUST_USE int netdev_check_l2tpv3(const struct netdev_spec *s, struct error *e);
MUST_USE int netdev_check_vxlan(const struct netdev_spec *s, struct error *e);

MUST_USE int netdev_check_passt(const struct netdev_spec *s, struct error *e);

/* Which families of the netdev user QEMU would have on. */
struct user_families {
	bool v4, v6;
};
struct user_families netdev_user_families(const struct netdev_spec *s);
struct user_opts;
/* What the netdev user has of IPv6: user_opts6.c. */
MUST_USE int netdev_user_resolve6(const struct netdev_spec *s,
				  struct user_opts *o, struct error *e);
/* What it serves otherwise than by itself, once the rest is resolved:
 * user_serving.c. */
MUST_USE int netdev_user_serving(const struct netdev_spec *s,
				 struct user_opts *o, struct error *e);
/* True for an address of its networks that is the gateway's, the name server's,
 * the host's or router='s. */
bool user_opts_is_servers(const struct user_opts *o, const addr *a);
/* Its DHCP servers, when all other addresses are known: user_dhcp.c. */
MUST_USE int netdev_user_dhcp(const struct netdev_spec *s,
			      struct user_opts *o, struct error *e);
/* The rules of its SMB server, once all else is resolved: user_smb.c. */
MUST_USE int netdev_user_smb(const struct netdev_spec *s, struct user_opts *o,
			     struct error *e);
/* The zone and resolvers; called last of all. */
MUST_USE int netdev_user_dns(const struct netdev_spec *s, struct user_opts *o,
			     struct error *e);
/* Copies the key's value, a name of DNS, to out, which takes USER_NAME_LEN
 * bytes. */
MUST_USE int user_name(const struct netdev_spec *s, const char *key,
		       const char *name, char *out, struct error *e);
/* "user: TEXT (KEY=VALUE)"; returns -1. */
int user_error(const struct netdev_spec *s, struct error *e, const char *text,
	       const char *key);

/* The value of a key of the table, of the type given. */
const struct value *spec_value(const struct netdev_spec *s, const char *key,
			       enum opt_type type);
/* The value as it was typed, of any type but lists and addresses; or the
 * default's. */
const char *spec_typed(const struct netdev_spec *s, const char *key);
/* Writes ",PREFIXNAME=TEXT", commas within doubled. */
void netdev_key_put(FILE *f, const char *prefix, const char *name,
		    const char *text);
/* "no such key", with the nearest one; returns -1. */
int netdev_unknown_key(const struct netdev_kind *kind, enum netdev_form form,
		       const char *key, struct error *e);
/* error_set() of EXIT_USAGE with "KIND: " in front; returns -1. */
__attribute__((format(printf, 3, 4))) int
spec_error(const struct netdev_kind *kind, struct error *e, const char *fmt,
	   ...);

#endif
