/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan cap: its words (cap_args.c), where the frames come from (cap.c) and how
 * they get to a file (cap_write.c).
 */
#ifndef CLI_CAP_H
#define CLI_CAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "cli/cap_sink.h"

struct cap_args {
	const char *name;   /* network, machine or NETWORK/VM; borrowed */
	const char *file;   /* NULL: standard output */
	char *filter;	    /* owned; NULL: none */
	uint32_t snap_len;  /* 0: whole frames */
	uint32_t memory;    /* bytes; 0: not said */
	uint32_t keep;	    /* bytes of --keep; 0: no longer */
	uint64_t n_max;	    /* frames; 0: any number */
	uint64_t last_ns;   /* --last; 0: not that */
	bool keeps;	    /* --keep */
	bool lists;	    /* ls */
	bool is_json;
	bool wants_help;
};

#define CAP_ARGS_NULL ((struct cap_args){.name = NULL})

/* 0, or -1 with one line in *e (EXIT_USAGE). */
MUST_USE int cap_args_parse(int argc, char **argv, struct cap_args *a,
			    struct error *e);
void cap_args_deinit(struct cap_args *a);
/* "64mb" in bytes; "30s" in ns.  Without a unit it is none. */
MUST_USE bool cap_size_parse(const char *text, uint64_t *np);
MUST_USE bool cap_time_parse(const char *text, uint64_t *nsp);

struct cap_filter;

/* Where frames are written.  It stays where it is while it is open. */
struct cap_out {
	struct cap_sink sink;
	bool is_new; /* the file is ours, and empty until cap_out_begin() */
	const char *comment;
	const char *what; /* is captured, for people */
	const struct cap_args *args;
	struct cap_filter *filter; /* owned; NULL: none */
};

#define CAP_OUT_NULL ((struct cap_out){.sink = CAP_SINK_NULL})

/* Opens the file and compiles the filter.  0, or negative with *e. */
MUST_USE int cap_out_open(struct cap_out *o, const struct cap_args *a,
			  struct error *e);
/* What was in the file before is no more. */
void cap_out_begin(struct cap_out *o);
/* A file that was made for what did not begin goes, too. */
void cap_out_close(struct cap_out *o);
/* Writes what comes by the ring until its writer is over, a signal comes, or
 * nobody reads.  sock: the capture's connection.  0, or negative with *e. */
MUST_USE int cap_follow(struct cap_out *o, int ring, int wake, int sock,
			struct error *e);
/* Writes what is kept there. */
MUST_USE int cap_last(struct cap_out *o, int ring, struct error *e);


/* Prints the captures of a network, machine not "": of that one. 0, or negative
 * with *e. */
MUST_USE int cap_list(const char *network, const char *machine, bool is_json,
		      struct error *e);

#endif
