/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network as its configuration file has it (vmlan.conf(5)): NAME.conf and the
 * drop-ins in NAME.conf.d.  Every mistake in them is a problem with its place;
 * reading goes on behind it, so that one look finds all.  What is said is
 * judged by the parsers of the command line and shown in the control socket's
 * words, so that what runs can be compared with it (apply.h).
 *
 * conf_files.c finds and reads files, conf.c puts them together,
 * conf_section.c knows the sections, conf_judge.c judges the network's options.
 */
#ifndef CLI_CONF_H
#define CLI_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "grammar/forward_opts.h"
#include "grammar/ini.h"
#include "mode/mode.h"

struct conf;
struct conf_pair;
struct conf_part;

/* Of a file; or of none of its lines: 0. */
struct conf_at {
	const char *file; /* borrowed from the conf */
	unsigned line;
};

struct conf_problem {
	struct conf_at at;
	bool is_warning;
	char *text; /* owned: what; what to do */
};

struct conf_key {
	const char *key; /* NULL ends a table */
	bool is_list;	 /* may be given again */
	void (*take)(struct conf *c, struct conf_part *part,
		     const struct conf_pair *p);
};

enum conf_naming { CONF_UNNAMED, CONF_NAMED, CONF_MAYBE_NAMED };

struct conf_section {
	const char *word; /* NULL ends the table */
	enum conf_naming naming;
	const struct conf_key *keys; /* NULL: the options of the mode */
	/* All its keys have been taken; NULL: nothing is to be done. */
	void (*finish)(struct conf *c, struct conf_part *part);
};

/* All sections of one word and name, whatever files they are in. */
struct conf_part {
	struct list link;
	const struct conf_section *section;
	const char *name; /* of the machine; "": none */
	struct conf_at at, last; /* the first one and the last */
	json_t *o;	   /* owned: what its keys said */
};

struct conf_pair {
	struct conf_part *part; /* NULL: its section is none */
	const char *key, *value; /* borrowed from the file */
	struct conf_at at;
	unsigned file;
	bool is_over; /* a later file says something else */
};

struct conf_file {
	char *path; /* owned */
	struct ini ini; /* owned */
};

/* A forward, for those that would be in its way. */
struct conf_forward {
	struct port_rule rule; /* from localhost where no address is given */
	struct conf_at at;
};

struct conf {
	char name[MODE_NAME_LEN];
	char *folder; /* owned: of NAME.conf, where relative paths begin */
	struct conf_file *files; /* owned; NAME.conf is the first */
	unsigned n_files;
	struct conf_pair *pairs; /* owned */
	unsigned n_pairs;
	struct list parts;
	struct conf_problem *problems; /* owned */
	unsigned n_problems, n_errors;
	bool is_out_of_memory;
	/* what it comes to */
	struct mode_spec mode; /* owned; mode NULL: there is none */
	struct conf_at options_at[MODE_OPTIONS_MAX]; /* of mode.options */
	struct conf_forward *rules; /* owned */
	unsigned n_rules;
	unsigned n_bound; /* sockets that they would take */
	json_t *forwards; /* owned: bodies of POST /v1/forwards */
	json_t *links;	  /* owned: by machine, as GET .../link shows it */
	json_t *captures; /* owned: bodies of PUT /v1/captures/kept */
};

/* An empty one of that name, which is a network's. */
void conf_init(struct conf *c, const char *name);
/* One more file; later ones win.  Its path as it is kept, for places in it;
 * NULL: no memory. */
const char *conf_file(struct conf *c, const char *path);
/* The text of the last one.  Negative: no memory. */
MUST_USE int conf_text(struct conf *c, const char *text, size_t len);
/* All files are there: what do they come to?  Negative: no memory, with *e; as
 * for the rest, n_errors tells. */
MUST_USE int conf_finish(struct conf *c, struct error *e);
void conf_deinit(struct conf *c);

/* NAME.conf where it is found, and its drop-ins, finished.  0; -ENOENT: it has
 * none, *e is not filled; else negative with *e. */
MUST_USE int conf_load(const char *name, struct conf *c, struct error *e);
/* The same of that file. */
MUST_USE int conf_load_file(const char *path, struct conf *c, struct error *e);
/* The paths of all networks' files, in order; of a name that is in several
 * folders only the one that counts.  is_all: those of the system as well, which
 * are root's affair.  *vp and each is the caller's to free; negative with
 * *e. */
MUST_USE int conf_list(bool is_all, char ***vp, unsigned *np, struct error *e);

/* ---- for conf_*.c, check and apply ---- */

__attribute__((format(printf, 3, 4))) void
conf_wrong(struct conf *c, const struct conf_at *at, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) void
conf_warn(struct conf *c, const struct conf_at *at, const char *fmt, ...);
/* "FILE:LINE: TEXT", and "warning: " before the text of one. */
void conf_print_problem(FILE *f, const struct conf_problem *p);
/* Sets a member; where there is no memory the conf is not finished. */
void conf_set(struct conf *c, json_t *o, const char *key, json_t *value);
void conf_append(struct conf *c, json_t *list, json_t *value);

/* The section of that word, and its key; NULL: there is none.  mode NULL: not
 * known; then any of [network] is NULL. */
const struct conf_section *conf_section_find(const char *word);
bool conf_key_find(const struct conf_section *s, const struct mode *m,
		   const char *key, bool *is_listp);
/* No such section, no such key. */
void conf_unknown_section(struct conf *c, const struct conf_at *at,
			  const char *word);
void conf_unknown_key(struct conf *c, const struct conf_pair *p);
/* The parts of that word. */
void conf_take(struct conf *c, const struct conf_pair *p);
/* One more option of the mode: KEY=VALUE. */
void conf_option(struct conf *c, const struct conf_at *at, const char *text);
/* Judges the options together, as far as that does not depend on the host. */
void conf_judge(struct conf *c);

#endif
