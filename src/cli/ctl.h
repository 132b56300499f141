/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command's side of a network's control socket (control/protocol.h): one
 * request, one answer, within CONTROL_ASK_S.
 */
#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "control/answer.h"

/* Asks the network of that name; body NULL = none.  0, *answerp (which may be
 * NULL) is then the answer's object, the caller's; -ENOENT if nobody serves it,
 * *e is not filled; else negative with one line in *e, the keeper's own if it
 * refused. */
MUST_USE int ctl_ask(const char *name, const char *method, const char *path,
		     const char *body, json_t **answerp, struct error *e);

/* GETs path so, but waits for the answer until now_ms() is until_ms only. */
MUST_USE int ctl_get_until(const char *name, const char *path,
			   int64_t until_ms, json_t **answerp,
			   struct error *e);

/* As ctl_ask(), with a body of n bytes, whatever they are. */
MUST_USE int ctl_send(const char *name, const char *method, const char *path,
		      const void *body, size_t n, json_t **answerp,
		      struct error *e);

enum { CTL_UPGRADE_FDS = 2 };

/* A connection that is no longer HTTP, and the descriptors that came with the
 * answer. */
struct ctl_upgraded {
	int fd; /* owned */
	int fds[CTL_UPGRADE_FDS]; /* owned */
	unsigned n_fds;
};

#define CTL_UPGRADED_NULL ((struct ctl_upgraded){.fd = -1})

/* POSTs body and asks to go on as `to`.  0, *u is then the caller's, with one
 * descriptor or more; or negative with one line in *e. */
MUST_USE int ctl_upgrade(const char *name, const char *path, const char *to,
			 const char *body, struct ctl_upgraded *u,
			 struct error *e);
void ctl_upgraded_close(struct ctl_upgraded *u);
/* Connects to the network's socket and sends text: the connection, the
 * caller's; -ENOENT and the rest as above. */
MUST_USE int ctl_open(const char *name, const char *text, struct error *e);
/* Takes what the keeper of that network has answered, as ctl_ask() does. */
MUST_USE int ctl_judge(const char *name, const struct control_answer *a,
		       json_t **answerp, struct error *e);

/* A line of an answer that goes on, without '\n'; false: no more of them. */
typedef bool ctl_lines_fn(void *arg, const char *line, size_t len);
/* GETs path, whose answer is of lines, and calls fn for each as it comes, until
 * the answer ends or fn has enough: 0; -ENOENT and the rest as ctl_ask(). */
MUST_USE int ctl_lines(const char *name, const char *path, ctl_lines_fn *fn,
		       void *arg, struct error *e);

typedef int ctl_asker(const char *name, const char *method, const char *path,
		      const char *body, json_t **answerp, struct error *e);
/* Appends what each network shows to list, asked by ctl_ask, for which one that
 * starts or ends is none yet, or no more, or by start_ask, which waits for
 * those.  0, or negative with *e at the first that does not answer. */
MUST_USE int ctl_ask_all(ctl_asker *ask, json_t *list, struct error *e);

/* To standard output, as --json says it. */
void ctl_print(const json_t *o);

/* v's own text; "" if it is no string. */
const char *ctl_text(const json_t *v);
/* Members of an answer; "" / 0 / false where there is none of that type. */
const char *ctl_str(const json_t *o, const char *key);
int ctl_int(const json_t *o, const char *key);
/* A count, which is never negative. */
uint64_t ctl_count(const json_t *o, const char *key);
bool ctl_bool(const json_t *o, const char *key);

#endif
