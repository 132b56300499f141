/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One netdev string, parsed and checked against the table of its kind.
 *
 * Three forms, told apart as QEMU does: JSON if the text begins with '{',
 * keyval with dotted keys for stream and dgram, classic for the rest (",,"
 * is a comma, a repeated key makes a list where the table says so).  Called
 * by the commands and the keeper, on their one thread; opens nothing.
 */
#ifndef GRAMMAR_NETDEV_SPEC_H
#define GRAMMAR_NETDEV_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "grammar/kind.h"

enum {
	NETDEV_TEXT_MAX = 65536, /* bytes of a netdev string */
	NETDEV_QUEUES_MAX = 1024, /* queues=, and descriptors of fds= */
	NETDEV_PAIRS_MAX = 16,	  /* queues= of vhost-user */
};

enum tristate {
	TRI_UNSET,
	TRI_OFF,
	TRI_ON,
};

/* All strings are owned by the spec; NULL where not given. */
struct sock_addr_spec {
	enum sock_addr_type type;
	/* inet: a name or a literal; a number or, without numeric=on, the
	 * name of a service */
	const char *host, *port;
	bool has_to;
	uint16_t to; /* server: last port to try */
	enum tristate ipv4, ipv6; /* never both TRI_OFF */
	bool numeric;		  /* look no name up */
	bool mptcp;
	enum tristate keep_alive;
	/* 0 = the kernel's default; seconds for idle and interval */
	uint32_t keep_alive_count, keep_alive_idle, keep_alive_interval;
	/* unix */
	const char *path;
	bool is_abstract; /* path has no leading NUL here */
	bool is_tight;	  /* abstract: length as typed, not padded */
	/* fd: a descriptor number; fd holds it */
	const char *str;
	int fd; /* -1 for the other types */
	/* vsock */
	const char *cid;
};

struct netdev_spec;

/* Parses and checks text; *specp is the caller's (netdev_spec_free).  0, or
 * negative with one line in *e (EXIT_USAGE). */
MUST_USE int netdev_parse(const char *text, struct netdev_spec **specp,
			  struct error *e);
/* Accepts NULL; returns NULL. */
struct netdev_spec *netdev_spec_free(struct netdev_spec *s);
/* True if text asks for help: "help" (*kindp = NULL) or "TYPE,help". */
bool netdev_wants_help(const char *text, const struct netdev_kind **kindp);

const struct netdev_kind *spec_kind(const struct netdev_spec *s);
/* NULL if the text has no id=. */
const char *spec_id(const struct netdev_spec *s);

/* The key must be one of the kind's table, and of the accessor's type. */

/* True if the text gives the key (not if only a default would). */
bool spec_has(const struct netdev_spec *s, const char *key);
/* The given value, else the table's default, else NULL / false / 0. */
const char *spec_str(const struct netdev_spec *s, const char *key);
bool spec_bool(const struct netdev_spec *s, const char *key);
/* True if the value of an OPT_BOOL is its further word. */
bool spec_is_also(const struct netdev_spec *s, const char *key);
/* OPT_U16, OPT_U32, OPT_U64, OPT_SIZE. */
uint64_t spec_u64(const struct netdev_spec *s, const char *key);
/* OPT_INT. */
int32_t spec_int(const struct netdev_spec *s, const char *key);
/* The values in the order given; *np 0 if none. */
const char *const *spec_list(const struct netdev_spec *s, const char *key,
			     size_t *np);
/* NULL if not given. */
const struct sock_addr_spec *spec_addr(const struct netdev_spec *s,
				       const char *key);
/* True if it is a descriptor of the process that it was given to: it means
 * something else, or nothing, to another. */
bool spec_is_fd(const struct netdev_spec *s);
/* The numbers of fd= or fds= ("3", "3:4:5"), checked while parsing; returns
 * how many, at most max are stored. */
unsigned spec_fds(const struct netdev_spec *s, const char *key, int *fds,
		  unsigned max);

/* The spec as a netdev string again: dotted keys, type first, id second,
 * then the keys given in table order.  The caller frees; NULL: no memory. */
char *netdev_spec_format(const struct netdev_spec *s);
/* A value of a netdev string: a comma in it is written twice. */
void netdev_value_put(FILE *f, const char *value);

#endif
