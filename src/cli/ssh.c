/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan ssh: the system's ssh to a machine that has no port forwarded.
 *
 *      ssh -- ProxyCommand: vmlan exec NETWORK -- vmlan connect NETWORK/VM 22
 *                           (a machine beside it)  (the bytes)
 *
 * This process becomes ssh.  The machine's name is two things to ssh: the host
 * VM+NETWORK, by which connections are shared and ssh_config(5) is searched,
 * and NETWORK/VM, by which its key is known; neither can be another host's.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"

static const char usage[] =
	"usage: vmlan ssh [options] [ssh's options] [USER@]VM [COMMAND...]\n"
	"Runs ssh to a machine, by its network and without a forwarded port;\n"
	"no root is needed.  VM is NETWORK/VM, or VM alone where that is\n"
	"clear.\n"
	"  vmlan ssh root@lab/web uptime\n"
	"  --wait SECONDS   how long the machine may take to answer (60)\n"
	"  ip=IP            the address that vmlan ssh itself gets there, as\n"
	"                   vmlan exec does\n"
	"ssh's exit status is passed on.\n";

/* ssh's options that take a value. */
static const char valued[] = "bceilmopBDEFIJLOPQRSwW";

enum {
	WAIT_S = 60,
	WAIT_MAX_S = 86400,
	BANNER_S = 60, /* for a lease, and for the server's first words */
};

struct ssh {
	char *const *options; /* ssh's own, before the machine's name */
	unsigned n_options;
	bool has_end;	  /* "--" is behind them */
	const char *user; /* with its '@'; NULL: none is named */
	size_t user_len;
	const char *vm;
	char *const *rest; /* behind it */
	const char *ip;	   /* "ip=.."; NULL: as exec chooses */
	unsigned wait_s;
	bool helped;
	struct found found;
};

/* ---- the words ---- */

static int set_wait(struct ssh *s, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > WAIT_MAX_S)
		return cli_usage("ssh: --wait %s: wants seconds, at most %d",
				 text, WAIT_MAX_S);
	s->wait_s = (unsigned)n;
	return 0;
}

/* Options of ours, as long as they come first. */
static int parse_own(struct ssh *s, char **argv, int *ip)
{
	for (; argv[*ip]; ++*ip) {
		const char *word = argv[*ip], *value;
		int took = cli_value(word, argv[*ip + 1], "--wait", &value);
		int r = took > 0 ? set_wait(s, value) : 0;

		if (took < 0 || r)
			return EXIT_USAGE;
		if (strcmp(word, "--help") == 0) {
			fputs(usage, stdout);
			s->helped = true;
			return 0;
		}
		if (!took && strncmp(word, "ip=", 3) == 0)
			s->ip = word;
		else if (!took)
			return 0;
		if (took)
			*ip += took - 1;
	}
	return 0;
}

/* True if the option's value is the next word: "-l", "-vl", not "-lroot". */
static bool takes_next(const char *word)
{
	for (word++; *word; word++) {
		if (strchr(valued, *word))
			return !word[1];
	}
	return false;
}

static int parse_args(struct ssh *s, char **argv)
{
	int i = 1, first;
	int r = parse_own(s, argv, &i);
	const char *at;

	if (r || s->helped)
		return r;
	for (first = i; argv[i] && argv[i][0] == '-' && argv[i][1]; i++) {
		if (strcmp(argv[i], "--") == 0)
			break;
		if (argv[i][1] == '-')
			return cli_usage("ssh: unknown option '%s'; see vmlan "
					 "ssh --help",
					 argv[i]);
		if (takes_next(argv[i]) && argv[i + 1])
			i++;
	}
	s->options = argv + first;
	s->n_options = (unsigned)(i - first);
	s->has_end = argv[i] && strcmp(argv[i], "--") == 0;
	i += s->has_end;
	if (!argv[i])
		return cli_usage("ssh: name the machine; vmlan ls and vmlan "
				 "show list them");
	at = strrchr(argv[i], '@');
	s->user = at ? argv[i] : NULL;
	s->user_len = at ? (size_t)(at - argv[i]) + 1 : 0;
	s->vm = argv[i] + s->user_len;
	s->rest = argv + i + 1;
	return 0;
}

/* ---- what ssh is told ---- */

/* One word for the shell, in which '%' means itself to ssh. */
static void put_word(FILE *f, const char *word)
{
	fputc('\'', f);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", f);
		else if (*word == '%')
			fputs("%%", f);
		else
			fputc(*word, f);
	}
	fputs("' ", f);
}

static void put_words(FILE *f, const char *const *words)
{
	for (; *words; words++)
		put_word(f, *words);
}

/* Nobody leases an address where there is nobody but machines. */
static const char *choose_ip(const struct ssh *s)
{
	if (s->ip)
		return s->ip;
	return json_array_size(json_object_get(s->found.o, "netdevs"))
		       ? "ip=dhcp"
		       : "ip=none";
}

/* The option ProxyCommand=, NULL: no memory. */
static char *proxy_option(const struct ssh *s)
{
	const struct found *f = &s->found;
	char self[PATH_MAX] = "vmlan", name[CONTROL_NAME_LEN];
	char vm[sizeof(f->network) + sizeof(f->machine)], wait[16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *text = NULL;
	size_t len;
	FILE *o = open_memstream(&text, &len);

	if (!o)
		return NULL;
	if (n > 0)
		self[n] = '\0';
	snprintf(name, sizeof(name), "ssh-%.*s", (int)sizeof(name) - 5,
		 f->machine);
	snprintf(vm, sizeof(vm), "%s/%s", f->network, f->machine);
	snprintf(wait, sizeof(wait), "%u", s->wait_s);
	fputs("ProxyCommand=", o);
	put_words(o, (const char *const[]){self, "exec", "--name", name,
					   f->network, choose_ip(s), "--", self,
					   "connect", wait, vm, NULL});
	fputs("%p", o);
	if (fclose(o) == 0)
		return text;
	free(text);
	return NULL;
}

/* What ssh is called with. */
struct words {
	char *proxy, *alias, *timeout, *host; /* owned */
	char **argv; /* owned array of borrowed words */
};

static void words_deinit(struct words *w)
{
	free(w->proxy);
	free(w->alias);
	free(w->timeout);
	free(w->host);
	free(w->argv);
}

static int make_words(const struct ssh *s, struct words *w)
{
	const struct found *f = &s->found;
	unsigned n = s->n_options;

	for (unsigned i = 0; s->rest[i]; i++)
		n++;
	w->argv = calloc(n + 10, sizeof(*w->argv));
	w->proxy = proxy_option(s);
	if (asprintf(&w->alias, "HostKeyAlias=%s/%s", f->network, f->machine) <
	    0)
		w->alias = NULL;
	if (asprintf(&w->host, "%.*s%s+%s", (int)s->user_len,
		     s->user ? s->user : "", f->machine, f->network) < 0)
		w->host = NULL;
	if (asprintf(&w->timeout, "-oConnectTimeout=%u",
		     s->wait_s + BANNER_S) < 0)
		w->timeout = NULL;
	return w->argv && w->proxy && w->alias && w->timeout && w->host
		       ? 0
		       : -ENOMEM;
}

/* Where an option is given twice, ssh takes the first: the user's go before
 * ours, but for the way there. */
static void order_words(const struct ssh *s, struct words *w)
{
	char **p = w->argv;

	*p++ = (char *)"ssh";
	*p++ = (char *)"-o";
	*p++ = w->proxy;
	*p++ = (char *)"-oProxyUseFdpass=no";
	for (unsigned i = 0; i < s->n_options; i++)
		*p++ = s->options[i];
	*p++ = (char *)"-o";
	*p++ = w->alias;
	/* Counts the time that we wait too. */
	*p++ = w->timeout;
	if (s->has_end)
		*p++ = (char *)"--";
	*p++ = w->host;
	for (unsigned i = 0; s->rest[i]; i++)
		*p++ = s->rest[i];
}

/* Returns only if ssh could not be run. */
static int become(const struct ssh *s, struct error *e)
{
	struct words w = {NULL};
	int err;

	if (make_words(s, &w) < 0) {
		words_deinit(&w);
		return error_set(e, EXIT_RUN_FAILED, "out of memory");
	}
	order_words(s, &w);
	execvp(w.argv[0], w.argv);
	err = errno;
	words_deinit(&w);
	return error_set(e,
			 err == ENOENT ? EXIT_RUN_NOT_FOUND : EXIT_RUN_CANNOT,
			 err == ENOENT
				 ? "ssh: not found; is openssh-client "
				   "installed? (%s)"
				 : "ssh: cannot be executed: %s",
			 strerror(err));
}

int cmd_ssh(int argc, char **argv)
{
	struct ssh s = {.wait_s = WAIT_S, .found = FOUND_NULL};
	struct error e = ERROR_NULL;
	int r = parse_args(&s, argv);

	(void)argc;
	if (r || s.helped)
		return r;
	start_sweep();
	r = find_machine(s.vm, &s.found, &e);
	if (r == 0 && !ctl_bool(s.found.o, "exec"))
		r = error_set(&e, EXIT_RUN_FAILED,
			      "network %s is internal: no program of the host "
			      "gets in, unless it is started with exec=on",
			      s.found.network);
	if (r == 0)
		r = become(&s, &e);
	found_deinit(&s.found);
	if (e.code == EXIT_FAILED || e.code == EXIT_PERMISSION)
		e.code = EXIT_RUN_FAILED;
	error_prefix(&e, "ssh: ");
	return cli_fail(&e);
}
