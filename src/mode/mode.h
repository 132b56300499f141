/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Modes: one word for who sees whom.  A mode is only a recipe: text in, the
 * netdevs of a LAN out; machines are plugged into that LAN later.  One file
 * for each recipe, one row for each in mode.c's table.  Opens nothing; called
 * by the commands.
 */
#ifndef MODE_MODE_H
#define MODE_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

enum {
	MODE_NAME_LEN = 64,    /* of a network, with NUL */
	MODE_OPTIONS_MAX = 512, /* KEY=VALUE of one network */
	MODE_NETDEVS_MAX = 16, /* of one network, without its machines */
	MODE_SAID_LEN = 200,
};

/* Whose LAN it is. */
enum mode_owner {
	MODE_NOBODYS, /* there is none */
	MODE_ONES,    /* a machine's own, without a name */
	MODE_SHARED,  /* machines join it by its name */
	MODE_EITHER,  /* a machine's own, or shared where it has a name */
};

/* One key that a mode knows. */
struct mode_key {
	const char *key;  /* NULL ends a table */
	const char *help; /* one line */
	bool is_list;	  /* may be given again */
};

struct mode_spec;
struct mode_host;
struct mode_netdevs;

struct mode {
	const char *word; /* NULL ends the table */
	const char *help; /* one line */
	enum mode_owner owner;
	const struct mode_key *keys;
	/* Fills *n. */
	int (*expand)(const struct mode_spec *s, const struct mode_host *h,
		      struct mode_netdevs *n, struct error *e);
};

/* What somebody asked for. */
struct mode_spec {
	const struct mode *mode;
	char name[MODE_NAME_LEN]; /* "" = none */
	char *options[MODE_OPTIONS_MAX + 1]; /* owned: KEY=VALUE, then NULL */
	unsigned n_options;
};

/* What the host is like. */
struct mode_host {
	const struct prefix *routes; /* where it has routes to, none of length
				      * 0 */
	unsigned n_routes;
	const struct prefix *delegated; /* IPv6 prefixes shorter than /64 that
					 * are the host's to divide */
	unsigned n_delegated;
	const char *host_id; /* who the host and the user are, for IPv6
			      * networks of their own; NULL: choose none */
	const char *machine; /* of whom the network is alone, for the same;
			      * NULL: it has a name of its own */
	bool may_make_links; /* interfaces, with addresses */
	bool may_have_ipv6;  /* those among the addresses */
	bool may_make_macvtaps;
	bool (*is_wireless)(const char *ifname); /* NULL: none is */
};

/* What comes of it. */
struct mode_netdevs {
	char *text[MODE_NETDEVS_MAX]; /* owned: as of vmlan join */
	unsigned n;
	char said[MODE_SAID_LEN]; /* a line to tell, "" = none */
};

/* All modes, ended by a NULL word. */
extern const struct mode modes[];
/* NULL if there is no such mode. */
const struct mode *mode_find(const char *word);
/* True if port forwards of the host lead into its LANs; NULL: no mode. */
bool mode_has_gateway(const struct mode *m);
/* False: programs of the host may be no machines of a network of this mode,
 * started with these options. */
bool mode_allows_exec(const char *word, char *const *options, unsigned n);
/* True if its networks take this key. */
bool mode_knows(const struct mode *m, const char *key);
/* The value of key in s (its last one), or NULL. */
const char *mode_value(const struct mode_spec *s, const char *key);
/* True if key is given, and is that word. */
bool mode_is(const struct mode_spec *s, const char *key, const char *word);

/* True for a name that a network can have; else *e says why not (EXIT_USAGE).
 * Words of modes are none. */
bool mode_name_ok(const char *name, struct error *e);

/* "MODE[:NAME][,KEY=VALUE]..", a comma in a value written twice. 0, or -1 with
 * one line in *e (EXIT_USAGE).  *s is the caller's either way
 * (mode_spec_deinit). */
MUST_USE int mode_parse(const char *text, struct mode_spec *s, struct error *e);
/* A mode by its word, for a network with this name; options follow. */
MUST_USE int mode_begin(const char *word, const char *name,
			struct mode_spec *s, struct error *e);
/* One "KEY=VALUE", as it is. */
MUST_USE int mode_option(struct mode_spec *s, const char *text,
			 struct error *e);
void mode_spec_deinit(struct mode_spec *s);

/* The netdevs of s on this host; -1 with one line in *e, n is empty then. */
MUST_USE int mode_expand(const struct mode_spec *s, const struct mode_host *h,
			 struct mode_netdevs *n, struct error *e);
void mode_netdevs_deinit(struct mode_netdevs *n);

/* The table, for help and man page. */
void mode_help(FILE *out);

#endif
