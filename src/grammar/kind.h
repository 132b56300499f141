/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kinds of netdev and their options: one table per kind, which drives the
 * parser (netdev_spec.h), `TYPE,help` and the man page vmlan-netdev(7).
 * Constant data, read from any thread.
 */
#ifndef GRAMMAR_KIND_H
#define GRAMMAR_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum opt_type {
	OPT_STR,
	OPT_BOOL,     /* on|off, yes|no, true|false, y|n; JSON: a boolean */
	OPT_U16,      /* integers: decimal, 0x hexadecimal, 0 octal */
	OPT_U32,
	OPT_U64,
	OPT_INT,      /* int32, may be negative */
	OPT_SIZE,     /* bytes, with a suffix of kKmMgGtT */
	OPT_LIST,     /* text; the key may be repeated; JSON: [{"str": ..}] */
	OPT_SOCKADDR, /* dotted keys KEY.type, KEY.host ..; JSON: an object */
	OPT_N_TYPES,
};

enum sock_addr_type {
	SOCK_ADDR_INET,
	SOCK_ADDR_UNIX,
	SOCK_ADDR_FD,
	SOCK_ADDR_VSOCK, /* known; no built kind accepts it */
	SOCK_ADDR_N_TYPES,
};

enum opt_flag {
	OPT_F_REQUIRED = 1 << 0,
	OPT_F_EXTENSION = 1 << 1, /* ours, QEMU does not know it */
	OPT_F_LATER = 1 << 2,	  /* known, but not built yet */
	OPT_F_DIFFERS = 1 << 3,	  /* does something else than in QEMU */
	OPT_F_NO_EFFECT = 1 << 4, /* accepted, and nothing comes of it */
	OPT_F_REFUSED = 1 << 5,	  /* known, and not to be had here */
};

/* One option of a kind, or one member of a socket address. */
struct netdev_option {
	const char *name; /* NULL ends a table */
	enum opt_type type;
	const char *deflt; /* as one would type it; NULL = none */
	const char *help;  /* one line */
	unsigned flags;	   /* OPT_F_* */
	/* OPT_F_LATER, OPT_F_REFUSED: the one value that asks for nothing we
	 * lack and is accepted; NULL = every value is refused. */
	const char *accepts;
	/* OPT_F_DIFFERS: how; OPT_F_NO_EFFECT: why; OPT_F_REFUSED: why, and the
	 * nearest that works.  One line; NULL for the others. */
	const char *does;
	/* OPT_BOOL: one more word, which counts as on; NULL = none. */
	const char *also;
};

struct netdev_kind {
	const char *name; /* NULL ends the table */
	const char *help; /* one line */
	bool is_extension;
	bool is_built;
	bool is_foreign; /* will not be built: another system's, no netdev */
	bool is_modern; /* keyval with dotted keys, as QEMU's stream, dgram */
	const char *not_built; /* why not, and the nearest thing that works */
	const char *does; /* how it differs from QEMU's as a whole, or NULL */
	const struct netdev_option *options;
};

/* All kinds of the reference and ours, ended by a NULL name. */
extern const struct netdev_kind netdev_kinds[];

/* A member of a socket address, and the types it belongs to. */
struct netdev_sockaddr_option {
	struct netdev_option opt;
	unsigned types; /* set of 1 << enum sock_addr_type */
};

/* The members behind addr., local. and remote., ended by a NULL name. */
extern const struct netdev_sockaddr_option netdev_sockaddr_options[];
/* "inet", "unix", "fd", "vsock", by enum sock_addr_type. */
extern const char *const sock_addr_type_names[];

/* NULL if there is no such kind. */
const struct netdev_kind *netdev_kind_find(const char *name);
/* NULL if the kind has no such option. */
const struct netdev_option *netdev_option_find(const struct netdev_kind *kind,
					       const char *name);
/* The kind whose name is nearest to a mistyped one; never NULL. */
const struct netdev_kind *netdev_kind_nearest(const char *name);

/* "string", "on|off", "number" ..: how help and man page write a type. */
const char *opt_type_name(enum opt_type type);

/* `TYPE,help`. */
void netdev_kind_help(const struct netdev_kind *kind, FILE *out);
/* `help`: the list of kinds. */
void netdev_help(FILE *out);
/* "Not here" or "Not built yet", of a kind that is not built. */
const char *netdev_kind_lack(const struct netdev_kind *kind);
/* All tables in scdoc form, for vmlan-netdev(7). */
void netdev_help_scdoc(FILE *out);
/* What is done with each type and key of QEMU's, likewise. */
void netdev_does_scdoc(FILE *out);

#endif
