/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan matrix: builds each mode in namespaces of its own, with namespaces or
 * guests of QEMU as its machines, and asks, by real traffic, who sees whom.
 * What is expected is the design's table.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "os/clock.h"
#include "cli/matrix.h"
#include "os/enclave.h"
#include "os/proc.h"

enum { AT_ONCE = 3 }; /* rows that are tried */

static const char usage[] =
	"usage: vmlan matrix [options] [MODE...]\n"
	"Builds each mode (or those named) in namespaces of its own: two\n"
	"machines, the host, a neighbour on its LAN, a host in the internet.\n"
	"Sends ARP, pings, TCP and UDP and prints who sees whom. What differs\n"
	"from what the mode is for is marked, and the exit status is 1 then.\n"
	"  --guests namespaces|qemu\n"
	"                   what the machines are (default: namespaces)\n"
	"  --kernel FILE    what qemu's boot (default: the host's own kernel)\n"
	"  --modules FOLDER that kernel's modules (default: as installed)\n"
	"  --json           as a JSON object, with each probe\n"
	"  -v, -q           say by which netdevs; say nothing but the table\n"
	"Nothing of the host is used or changed.\n";

/* In the order of enum question: VM sees LAN, LAN sees VM, VMs see each other,
 * internet, host reaches VM, the same by a forward. */
static const struct matrix_row rows[] = {
	{.word = "none", .label = "none", .addressing = BY_PRIVATE,
	 .has_bridge = true, .expected = "nnnnn-"},
	{.word = "nat", .label = "nat", .addressing = BY_LEASE,
	 .has_bridge = true, .expected = "ynnyny"},
	{.word = "natnet", .label = "natnet", .addressing = BY_LEASE,
	 .has_bridge = true, .expected = "ynyyny"},
	/* The host's kernel has to ask for a machine's MAC to answer it. */
	{.word = "natnet", .label = "natnet backend=kernel",
	 .options = "backend=kernel", .addressing = BY_LEASE,
	 .has_bridge = true, .host_has_routes = true, .expected = "ynyyny"},
	{.word = "bridged", .label = "bridged bridge=br0",
	 .options = "bridge=br0", .addressing = BY_LAN, .has_bridge = true,
	 .expected = "yyyyy-"},
	{.word = "bridged", .label = "bridged if=lan0", .options = "if=lan0",
	 .addressing = BY_LAN, .host_has_routes = true,
	 .expected = "yyyyy-"},
	{.word = "bridged", .label = "bridged via=packet",
	 .options = "if=lan0,via=packet", .addressing = BY_LAN,
	 .host_has_routes = true, .expected = "yyyyy-"},
	{.word = "hostonly", .label = "hostonly", .addressing = BY_LEASE,
	 .has_bridge = true, .expected = "nnyny-"},
	{.word = "internal", .label = "internal", .addressing = BY_PRIVATE,
	 .has_bridge = true, .expected = "nnynn-"},
	/* Plugged into the neighbour, by a cable of its own. */
	{.word = "generic", .label = "generic",
	 .options = "netdev=netns,,pid=PID,,ifname=plug0",
	 .addressing = BY_PLUG, .has_bridge = true, .expected = "yyynn-"},
};

/* ---- judging ---- */

enum answer matrix_cell(const struct cell_found *c)
{
	enum answer all = ANSWER_NONE;

	for (unsigned i = 0; i < c->n_pairs; i++) {
		for (int p = 0; p < N_PROTOS; p++) {
			enum answer one = c->pairs[i].probes[p].answer;

			if (one == ANSWER_FAILED)
				return ANSWER_FAILED;
			if (one == ANSWER_NONE)
				continue;
			if (all != ANSWER_NONE && all != one)
				all = ANSWER_MIXED;
			else
				all = one;
		}
	}
	return all;
}

char matrix_letter(enum answer a)
{
	switch (a) {
	case ANSWER_NONE:
		return '-';
	case ANSWER_NO:
		return 'n';
	case ANSWER_YES:
		return 'y';
	case ANSWER_MIXED:
		return '?';
	case ANSWER_FAILED:
		break;
	}
	return '!';
}

bool matrix_cell_ok(const struct matrix_row *row, const struct row_found *f,
		    enum matrix_family family, enum question q)
{
	return matrix_letter(matrix_cell(&f->cells[family][q])) ==
	       row->expected[q];
}

static bool row_ok(const struct matrix_row *row, const struct row_found *f)
{
	bool is_ok = f->is_built;

	for (int i = 0; i < N_MATRIX_FAMILIES * N_QUESTIONS; i++) {
		enum matrix_family family =
			(enum matrix_family)(i / N_QUESTIONS);
		enum question q = (enum question)(i % N_QUESTIONS);

		is_ok = is_ok && (!f->has_family[family] ||
				  matrix_cell_ok(row, f, family, q));
	}
	return is_ok;
}

/* ---- in the enclave ---- */

struct trial {
	const struct matrix_row *row;
	const struct guest_image *image;
	struct row_found *found;
};

static int try_row(void *arg)
{
	const struct trial *t = arg;
	const char *broken = getenv("VMLAN_MATRIX_BREAK");
	int64_t began = now_ms();
	struct world w = {
		.row = t->row,
		.image = t->image,
		.has_gateway_broken = broken && strcmp(broken, "gateway") == 0,
	};
	struct error e = ERROR_NULL;
	sigset_t none;

	/* What the terminal sends is for the command; it ends this. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "vmlan-matrix");
	/* The enclave's own /run, and no name servers: nobody asks any. */
	unsetenv("XDG_RUNTIME_DIR");
	setenv("XDG_STATE_HOME", "/run/state", 1);
	unsetenv("NOTIFY_SOCKET"); /* of whoever started the command */
	setenv("VMLAN_RESOLV_CONF", "/dev/null", 1);
	if (world_build(&w, &e) == 0 && vms_start(&w, t->found, &e) == 0 &&
	    matrix_ask(&w, t->found, &e) == 0)
		t->found->is_built = true;
	else
		snprintf(t->found->error, sizeof(t->found->error), "%.500s",
			 e.text);
	t->found->ms = (uint32_t)(now_ms() - began);
	return EXIT_DONE;
}

/* ---- the command ---- */

/* The enclaves that are at work, their pids; 0 where one has ended. */
struct batch {
	pid_t pids[AT_ONCE];
	unsigned n;
};

static void end_all(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (b->pids[i] <= 0)
			continue;
		kill(b->pids[i], SIGKILL);
		proc_bury(b->pids[i]);
	}
	b->n = 0;
}

/* Who is told to end takes the enclaves along, and ends by that signal. */
static void end_by(int signo, struct batch *b)
{
	sigset_t set;

	end_all(b);
	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	(void)raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static bool have_ended(struct batch *b)
{
	bool are_over = true;

	for (unsigned i = 0; i < b->n; i++) {
		if (b->pids[i] && waitpid(b->pids[i], NULL, WNOHANG) != 0)
			b->pids[i] = 0;
		are_over = are_over && !b->pids[i];
	}
	return are_over;
}

static void await(struct batch *b, const sigset_t *set)
{
	while (!have_ended(b)) {
		int signo = sigwaitinfo(set, NULL);

		if (signo > 0 && signo != SIGCHLD)
			end_by(signo, b);
	}
}

/* What the command was started to ignore it goes on ignoring. */
static void signals_wanted(sigset_t *set)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < array_len(ends); i++) {
		struct sigaction sa;

		if (sigaction(ends[i], NULL, &sa) == 0 &&
		    sa.sa_handler != SIG_IGN)
			sigaddset(set, ends[i]);
	}
}

/* The one thing of the host's that all of them take. */
static int check_tun(struct error *e)
{
	static const char tun[] = "/dev/net/tun";

	if (access(tun, R_OK | W_OK) == 0)
		return 0;
	return error_errno(e, errno, "%s (see vmlan doctor)", tun);
}

/* A few rows from the first on, at once; how many. */
static int try_some(struct matrix *m, unsigned first, const sigset_t *set,
		    struct error *e)
{
	unsigned most = m->image ? guest_rows_at_once(m->image) : AT_ONCE;
	struct batch b = {.n = 0};

	for (unsigned i = first; i < m->n && b.n < most; i++) {
		struct trial t = {
			.row = m->rows[i],
			.image = m->image,
			.found = &m->found[i],
		};

		b.pids[b.n] = enclave_start(try_row, &t, e);
		if (b.pids[b.n] < 0) {
			end_all(&b);
			return -1;
		}
		b.n++;
	}
	await(&b, set);
	return (int)b.n;
}

static int try_all(struct matrix *m, struct error *e)
{
	unsigned done = 0;
	sigset_t set;

	if (check_tun(e) < 0)
		return -1;
	if (!m->is_json)
		matrix_print_head();
	signals_wanted(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (done < m->n) {
		int n = try_some(m, done, &set, e);

		if (n < 0)
			return -1;
		for (; n > 0; n--, done++) {
			struct row_found *f = &m->found[done];

			if (!f->is_built && !f->error[0])
				snprintf(f->error, sizeof(f->error),
					 "it was killed");
			if (!m->is_json)
				matrix_print_row(m->rows[done], f);
		}
		fflush(stdout);
	}
	return 0;
}

static bool is_wanted(const struct matrix_row *row, char *const *words,
		      int n_words)
{
	for (int i = 0; i < n_words; i++) {
		if (strcmp(words[i], row->word) == 0)
			return true;
	}
	return n_words == 0;
}

/* The modes that this build has. */
static void choose(struct matrix *m, char *const *words, int n_words)
{
	for (size_t i = 0; i < array_len(rows); i++) {
		const struct mode *mode = mode_find(rows[i].word);

		if (mode && mode->expand && is_wanted(&rows[i], words, n_words))
			m->rows[m->n++] = &rows[i];
	}
}

static int check_word(const char *word)
{
	const struct mode *mode = mode_find(word);

	if (!mode)
		return cli_usage("matrix: '%s' is no mode; see vmlan matrix "
				 "--help",
				 word);
	if (!mode->expand)
		return cli_usage("matrix: mode %s is not built yet", word);
	return 0;
}

struct options {
	const char *guests, *kernel, *modules; /* NULL: not given */
	bool helped;
};

/* A word that begins with a dash: how many words it took, or negative. */
static int parse_option(struct matrix *m, struct options *o, char **words)
{
	const struct {
		const char *name;
		const char **valuep;
	} values[] = {
		{"--guests", &o->guests},
		{"--kernel", &o->kernel},
		{"--modules", &o->modules},
	};

	for (size_t i = 0; i < array_len(values); i++) {
		int took = cli_value(words[0], words[1], values[i].name,
				     values[i].valuep);

		if (took)
			return took;
	}
	if (strcmp(words[0], "--json") == 0)
		m->is_json = true;
	else if (strcmp(words[0], "-v") == 0)
		m->verbosity++;
	else if (strcmp(words[0], "-q") == 0)
		m->verbosity--;
	else if (cli_is_help(words[0]))
		o->helped = true;
	else
		return -cli_usage("matrix: unknown option '%s'; see vmlan "
				  "matrix --help",
				  words[0]);
	return 1;
}

static int check_options(const struct options *o)
{
	bool has_qemu = o->guests && strcmp(o->guests, "qemu") == 0;

	if (o->guests && !has_qemu && strcmp(o->guests, "namespaces") != 0)
		return cli_usage("matrix: --guests %s: wants namespaces or "
				 "qemu",
				 o->guests);
	if ((o->kernel || o->modules) && !has_qemu)
		return cli_usage("matrix: %s is for --guests qemu",
				 o->kernel ? "--kernel" : "--modules");
	return 0;
}

static int parse(char **argv, struct matrix *m, struct options *o)
{
	int n = 0, r = 0;

	for (int i = 1; argv[i] && r == 0 && !o->helped;) {
		if (argv[i][0] == '-') {
			int took = parse_option(m, o, argv + i);

			r = took < 0 ? EXIT_USAGE : 0;
			i += took;
		} else if ((r = check_word(argv[i])) == 0) {
			argv[n++] = argv[i++];
		}
	}
	if (r == 0 && o->helped)
		fputs(usage, stdout);
	else if (r == 0)
		r = check_options(o);
	if (r == 0)
		choose(m, argv, n);
	return r;
}

static int matrix(struct matrix *m)
{
	const size_t len = sizeof(*m->found) * array_len(m->rows);
	struct error e = ERROR_NULL;
	bool is_ok = true;

	_Static_assert(array_len(rows) <= array_len(m->rows), "room for all");
	m->found = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->found == MAP_FAILED)
		error_errno(&e, errno, "no memory");
	if (e.code != EXIT_DONE || try_all(m, &e) < 0) {
		error_prefix(&e, "matrix: ");
		return cli_fail(&e);
	}
	for (unsigned i = 0; i < m->n; i++)
		is_ok = is_ok && row_ok(m->rows[i], &m->found[i]);
	if (m->is_json)
		matrix_print_json(m, is_ok);
	else
		matrix_print_end(m, is_ok);
	munmap(m->found, len);
	return is_ok ? EXIT_DONE : EXIT_FAILED;
}

static int matrix_of_guests(struct matrix *m, const struct options *o)
{
	struct error e = ERROR_NULL;
	struct guest_image im;
	int r = guest_image_make(o->kernel, o->modules, &im, &e);

	if (r < 0) {
		error_prefix(&e, "matrix: ");
		r = cli_fail(&e);
	} else {
		m->image = &im;
		r = matrix(m);
		m->image = NULL;
	}
	fd_close(&im.kernel);
	fd_close(&im.initrd);
	return r;
}

int cmd_matrix(int argc, char **argv)
{
	struct matrix m = {.n = 0};
	struct options o = {.helped = false};
	int r;

	if (argc == 3 && strcmp(argv[1], AGENT_OPTION) == 0)
		return matrix_agent(argv[2]);
	r = parse(argv, &m, &o);
	if (r || o.helped)
		return r;
	return o.guests && strcmp(o.guests, "qemu") == 0
		       ? matrix_of_guests(&m, &o)
		       : matrix(&m);
}
