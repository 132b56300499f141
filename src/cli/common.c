/* SPDX-License-Identifier: BSD-3-Clause */
/* What all commands share: errors said one way, options read one way. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "keeper/keeper.h"

int cli_fail(const struct error *e)
{
	struct log lg = LOG_INIT(LOG_LEVEL_ERROR);

	log_error(&lg, "%s", e->text);
	return e->code;
}

int cli_usage(const char *fmt, ...)
{
	struct error e = {.code = EXIT_USAGE};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	return cli_fail(&e);
}

bool cli_is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool cli_helps(const char *word, const char *usage)
{
	if (!cli_is_help(word))
		return false;
	fputs(usage, stdout);
	return true;
}

int cli_value(const char *word, const char *next, const char *name,
	      const char **valuep)
{
	size_t len = strlen(name);

	if (strncmp(word, name, len) != 0)
		return 0;
	if (word[len] == '=') {
		*valuep = word + len + 1;
		return 1;
	}
	if (word[len])
		return 0;
	if (!next) {
		cli_usage("%s needs a value", name);
		return -1;
	}
	*valuep = next;
	return 2;
}

int cli_common_init(struct cli_common *c, int verbosity)
{
	const char *deny = getenv("VMLAN_DENY");
	int bits = deny ? keeper_deny_parse(deny) : 0;

	const char *workers = getenv("VMLAN_WORKERS");
	char *end = NULL;
	unsigned long n = workers ? strtoul(workers, &end, 10) : 0;

	c->log = LOG_INIT(LOG_LEVEL_INFO);
	if (verbosity > 0)
		c->log.level = LOG_LEVEL_DEBUG;
	else if (verbosity < 0)
		c->log.level = LOG_LEVEL_WARN;
	if (bits < 0)
		return cli_usage("VMLAN_DENY=%s: a word is not known; known "
				 "are peek_off, ping, gso, vnet_hdr",
				 deny);
	c->deny = (uint32_t)bits;
	if (workers && (!isdigit((unsigned char)*workers) || *end || n == 0 ||
			n > ENGINE_WORKERS_MAX))
		return cli_usage("VMLAN_WORKERS=%s: how many threads carry "
				 "frames, a number from 1 to %d",
				 workers, ENGINE_WORKERS_MAX);
	c->workers = (unsigned)n;
	return 0;
}
