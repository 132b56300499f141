/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's ACL of bridges; see bridge_acl.h. */
#include "os/bridge_acl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 16 };

/* The files that are still to be read. */
struct queue {
	char *names[FILES_MAX]; /* owned */
	unsigned n;
};

static int push(struct queue *q, const char *name)
{
	if (q->n == FILES_MAX)
		return -ELOOP;
	q->names[q->n] = strdup(name);
	if (!q->names[q->n])
		return -ENOMEM;
	q->n++;
	return 0;
}

static bool names(const char *word, const char *bridge)
{
	return strcmp(word, bridge) == 0 || strcmp(word, "all") == 0;
}

static int read_line(char *line, const char *bridge, struct queue *q,
		     bool *allowedp, bool *deniedp)
{
	char *rest = NULL;
	const char *verb, *word;

	line[strcspn(line, "#")] = '\0';
	verb = strtok_r(line, " \t\r\n", &rest);
	word = verb ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
	if (!word)
		return 0;
	if (strcmp(verb, "include") == 0)
		return push(q, word);
	if (strcmp(verb, "allow") == 0 && names(word, bridge))
		*allowedp = true;
	if (strcmp(verb, "deny") == 0 && names(word, bridge))
		*deniedp = true;
	return 0;
}

static int read_file(unsigned i, const char *bridge, struct queue *q,
		     bool *allowedp, bool *deniedp)
{
	FILE *f = fopen(q->names[i], "re");
	char line[PATH_MAX + 16];
	int r = 0;

	/* A first file that is missing allows nobody. */
	if (!f)
		return errno == ENOENT && i == 0 ? 0 : -errno;
	while (r == 0 && fgets(line, sizeof(line), f))
		r = read_line(line, bridge, q, allowedp, deniedp);
	fclose(f);
	return r;
}

int bridge_acl_ask(const char *path, const char *bridge)
{
	struct queue q = {.n = 0};
	bool allowed = false, denied = false;
	int r = push(&q, path);

	for (unsigned i = 0; i < q.n && r == 0; i++)
		r = read_file(i, bridge, &q, &allowed, &denied);
	for (unsigned i = 0; i < q.n; i++)
		free(q.names[i]);
	return r < 0 ? r : allowed && !denied;
}
