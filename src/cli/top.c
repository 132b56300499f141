/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan top: a live screen of a network, or one screen as text.
 *
 * One loop: keys, signals and the answers to requests that nobody waits for
 * (ctl_call.h).  Each interval a sample is asked for, by three requests one
 * after the other; one that is late does not hold up the keys, and is asked for
 * no second time.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cap.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/ctl_call.h"
#include "cli/find.h"
#include "cli/start.h"
#include "cli/top_capture.h"
#include "cli/top_model.h"
#include "cli/top_screen.h"
#include "cli/top_view.h"
#include "control/protocol.h"
#include "os/clock.h"

static const char usage[] =
	"usage: vmlan top [--interval TIME] [--once] [NETWORK]\n"
	"A live screen of a network: its machines and how much they send and\n"
	"get, the flows that carry most, what is lost and why. ? tells the\n"
	"keys. Without a name it is the network that runs, if it is one.\n"
	"  --interval TIME  between two samples, 100ms to 1h (1s)\n"
	"  --once           one screen as text, after two samples\n";

enum {
	INTERVAL_MS = 1000,
	INTERVAL_MIN_MS = 100,
	INTERVAL_MAX_MS = 3600000,
	LATE_MS = 2000,	  /* an answer is late, which is said */
	STATUS_MS = 8000, /* what was done is said so long */
	ONCE_FLOWS = 20,
	ONCE_COLUMNS = 120,
	PAGE = 10,
};

/* What a sample is made of, in its order. */
enum part { PART_NETWORK, PART_STATS, PART_FLOWS, N_PARTS };

static const char *const paths[] = {
	[PART_NETWORK] = CONTROL_NETWORK,
	[PART_STATS] = CONTROL_STATS,
	[PART_FLOWS] = CONTROL_FLOWS,
};

/* What the keys do now. */
enum mode_of_keys { KEYS_COMMANDS, KEYS_FILTER, KEYS_CABLE, KEYS_HELP };

struct top {
	const char *network;
	int64_t interval_ms;
	struct top_model model;
	struct top_grid grid;
	struct top_screen *screen; /* owned; NULL: --once */
	int signals;		   /* owned */
	/* the sample under way */
	struct ctl_call call;
	enum part part;
	json_t *parts[N_PARTS]; /* owned */
	int64_t next_ms;	/* when the next is asked for */
	unsigned n_samples;
	char trouble[TOP_SAID_LEN]; /* "": the last one came */
	/* what a key asked for */
	struct ctl_call order;
	char ordered[TOP_SAID_LEN]; /* said when it is done */
	char asked[TOP_NAME_LEN];   /* whose cable, .. */
	bool plugs_in;		    /* .. and which way: what "y" says yes to */
	struct list captures;
	enum mode_of_keys keys;
	char status[TOP_SAID_LEN];
	int64_t status_ms; /* it is said until then */
	char selected[TOP_NAME_LEN];
	bool is_done;
	struct error failed; /* --once: why there is none */
};

__attribute__((format(printf, 2, 3))) static void
say(struct top *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->status, sizeof(t->status), fmt, ap);
	va_end(ap);
	t->status_ms = now_ms() + STATUS_MS;
}

/* ---- samples ---- */

static void drop_parts(struct top *t)
{
	for (unsigned i = 0; i < N_PARTS; i++) {
		json_decref(t->parts[i]);
		t->parts[i] = NULL;
	}
}

/* There is no sample this time. */
static void fail_sample(struct top *t, int r, const struct error *e)
{
	if (r == -ENOENT && t->part == PART_NETWORK) {
		snprintf(t->trouble, sizeof(t->trouble),
			 "network %s does not run any more; it is waited for",
			 t->network);
		error_set(&t->failed, EXIT_NO_NETWORK, "top: %s has just ended",
			  t->network);
		top_model_forget(&t->model);
	} else if (r == -ENOENT) {
		snprintf(t->trouble, sizeof(t->trouble),
			 "its engine does not answer; it is waited for");
		error_set(&t->failed, EXIT_FAILED,
			  "top: the engine of %s does not answer", t->network);
	} else {
		snprintf(t->trouble, sizeof(t->trouble), "%.400s", e->text);
		t->failed = *e;
	}
	drop_parts(t);
}

static void take_sample(struct top *t)
{
	if (top_model_take(&t->model, t->parts[PART_NETWORK],
			   t->parts[PART_STATS], t->parts[PART_FLOWS],
			   now_ms()) < 0)
		snprintf(t->trouble, sizeof(t->trouble), "no memory");
	else
		t->trouble[0] = '\0';
	if (t->model.has_other_engine)
		say(t, "the engine of %s was started again", t->network);
	if (!t->selected[0] && t->model.n_shown_machines &&
	    t->model.machines[0].is_machine)
		snprintf(t->selected, sizeof(t->selected), "%s",
			 t->model.machines[0].name);
	t->n_samples++;
	drop_parts(t);
}

static void ask_part(struct top *t, enum part part)
{
	struct error e = ERROR_NULL;
	int r;

	t->part = part;
	r = ctl_call_begin(&t->call, t->network, "GET", paths[part], NULL, &e);
	if (r < 0)
		fail_sample(t, r, &e);
}

static void turn_sample(struct top *t)
{
	struct error e = ERROR_NULL;
	int r = ctl_call_turn(&t->call, t->network, &t->parts[t->part], &e);

	if (r == -EAGAIN)
		return;
	/* A keeper that tells nothing of flows tells the rest. */
	if (r < 0 && t->part == PART_FLOWS && r != -ENOENT)
		r = 0;
	if (r < 0)
		fail_sample(t, r, &e);
	else if (t->part + 1 == N_PARTS)
		take_sample(t);
	else
		ask_part(t, t->part + 1);
}

/* Asks for a sample if it is time, and says so if the one before is late. */
static void ask_if_due(struct top *t)
{
	int64_t now = now_ms();

	if (t->call.fd >= 0 && now - t->call.since_ms >= LATE_MS)
		snprintf(t->trouble, sizeof(t->trouble),
			 "no answer for %d s; it is waited for",
			 (int)((now - t->call.since_ms) / 1000));
	if (now < t->next_ms)
		return;
	t->next_ms += t->interval_ms;
	if (t->next_ms <= now)
		t->next_ms = now + t->interval_ms;
	if (t->call.fd < 0)
		ask_part(t, PART_NETWORK);
}

/* ---- what keys do ---- */

/* The selected machine; NULL: said that there is none. */
static const struct top_machine *selected(struct top *t)
{
	int at = top_model_place(&t->model, t->selected);

	if (at >= 0)
		return &t->model.machines[at];
	say(t, "no machine is selected");
	return NULL;
}

static void select_by(struct top *t, int step)
{
	const struct top_model *m = &t->model;
	int at = top_model_place(m, t->selected), n = 0;

	while (n < (int)m->n_shown_machines && m->machines[n].is_machine)
		n++;
	at = at < 0 ? 0 : at + step;
	at = at >= n ? n - 1 : at;
	at = at < 0 ? 0 : at;
	if (n)
		snprintf(t->selected, sizeof(t->selected), "%s",
			 m->machines[at].name);
}

static void sort_by(struct top *t, int step)
{
	t->model.sort = (enum top_sort)(((int)t->model.sort + step +
					 TOP_N_SORTS) % TOP_N_SORTS);
	top_model_arrange(&t->model);
}

static void capture(struct top *t)
{
	const struct top_machine *m = selected(t);
	struct error e = ERROR_NULL;
	char said[TOP_SAID_LEN];

	if (!m)
		return;
	if (top_capture_stop(&t->captures, m->name))
		say(t, "the capture of %s ends", m->name);
	else if (top_capture_begin(&t->captures, t->network, m->name, said,
				   &e) < 0)
		say(t, "%.400s", e.text);
	else
		say(t, "%s", said);
}

static void ask_cable(struct top *t)
{
	const struct top_machine *m = selected(t);

	if (!m)
		return;
	if (t->order.fd >= 0) {
		say(t, "what was asked before is not done yet");
		return;
	}
	t->keys = KEYS_CABLE;
	t->plugs_in = m->cable == TOP_CABLE_PULLED;
	snprintf(t->asked, sizeof(t->asked), "%s", m->name);
	say(t, t->plugs_in ? "plug %s in again? y/n"
			   : "pull the cable of %s? y/n",
	    t->asked);
}

static void turn_cable(struct top *t)
{
	struct error e = ERROR_NULL;
	char path[TOP_NAME_LEN + 64];
	int r;

	snprintf(path, sizeof(path), CONTROL_MACHINES "/%s" CONTROL_LINK,
		 t->asked);
	snprintf(t->ordered, sizeof(t->ordered),
		 t->plugs_in ? "%s is plugged in again"
			     : "the cable of %s is pulled",
		 t->asked);
	r = ctl_call_begin(&t->order, t->network, "PUT", path,
			   t->plugs_in ? "{\"up\":true}" : "{\"up\":false}",
			   &e);
	if (r < 0)
		say(t, "%.400s", r == -ENOENT ? "the network has ended"
					      : e.text);
	else
		say(t, "the cable of %s ..", t->asked);
}

static void turn_order(struct top *t)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;
	int r = ctl_call_turn(&t->order, t->network, &o, &e);

	json_decref(o);
	if (r == -EAGAIN)
		return;
	if (r < 0)
		say(t, "%.400s", r == -ENOENT ? "the network has ended"
					      : e.text);
	else
		say(t, "%s", t->ordered);
	t->next_ms = now_ms();
}

static void edit_filter(struct top *t, int key)
{
	char *text = t->model.filter;
	size_t n = strlen(text);

	if (key == TOP_KEY_ESCAPE)
		text[0] = '\0';
	else if (key == TOP_KEY_ERASE && n)
		text[n - 1] = '\0';
	else if (key >= ' ' && key <= '~' && n + 1 < sizeof(t->model.filter))
		memcpy(text + n, (char[]){(char)key, '\0'}, 2);
	if (key == TOP_KEY_ESCAPE || key == TOP_KEY_ENTER)
		t->keys = KEYS_COMMANDS;
	top_model_arrange(&t->model);
}

static void command(struct top *t, int key)
{
	t->status[0] = '\0';
	switch (key) {
	case 'q':
		t->is_done = true;
		break;
	case '?':
	case 'h':
		t->keys = KEYS_HELP;
		break;
	case 's':
	case '>':
		sort_by(t, 1);
		break;
	case '<':
		sort_by(t, -1);
		break;
	case '/':
		t->keys = KEYS_FILTER;
		break;
	case TOP_KEY_ESCAPE:
		edit_filter(t, key);
		break;
	case 'c':
		capture(t);
		break;
	case 'l':
		ask_cable(t);
		break;
	case ' ':
		t->next_ms = now_ms();
		break;
	case TOP_KEY_UP:
	case 'k':
		select_by(t, -1);
		break;
	case TOP_KEY_DOWN:
	case 'j':
		select_by(t, 1);
		break;
	case TOP_KEY_PAGE_UP:
		select_by(t, -PAGE);
		break;
	case TOP_KEY_PAGE_DOWN:
		select_by(t, PAGE);
		break;
	}
}

static void on_key(struct top *t, int key)
{
	switch (t->keys) {
	case KEYS_COMMANDS:
		command(t, key);
		break;
	case KEYS_FILTER:
		edit_filter(t, key);
		break;
	case KEYS_CABLE:
		t->keys = KEYS_COMMANDS;
		t->status[0] = '\0';
		if (key == 'y' || key == 'Y')
			turn_cable(t);
		break;
	case KEYS_HELP:
		t->keys = KEYS_COMMANDS;
		break;
	}
}

/* ---- the loop ---- */

static bool is_captured(void *arg, const char *machine)
{
	const struct top *t = arg;

	return top_capture_has(&t->captures, machine);
}

static int show(struct top *t, struct error *e)
{
	char prompt[TOP_NAME_LEN + 16];
	struct top_look look = {
		.network = t->network, .status = t->status,
		.trouble = t->trouble, .selected = t->selected,
		.is_asking = t->keys == KEYS_FILTER || t->keys == KEYS_CABLE,
		.has_help = t->keys == KEYS_HELP,
		.is_captured = is_captured, .arg = t,
	};
	int rows, columns;

	if (now_ms() >= t->status_ms && t->keys != KEYS_CABLE)
		t->status[0] = '\0';
	if (t->keys == KEYS_FILTER) {
		snprintf(prompt, sizeof(prompt), "show only: %s_",
			 t->model.filter);
		look.status = prompt;
	}
	top_screen_size(t->screen, &rows, &columns);
	if (top_grid_init(&t->grid, rows, columns) < 0)
		return error_errno(e, ENOMEM, "top");
	top_view_draw(&t->model, &look, &t->grid);
	top_screen_show(t->screen, &t->grid);
	return 0;
}

static void on_signal(struct top *t)
{
	struct signalfd_siginfo info;
	char said[TOP_SAID_LEN];

	if (read(t->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH && t->screen)
		top_screen_resize(t->screen);
	else if (info.ssi_signo == SIGCHLD)
		while (top_capture_reap(&t->captures, said))
			say(t, "%s", said);
	else if (info.ssi_signo != SIGWINCH)
		t->is_done = true;
}

static void on_keys(struct top *t, short events)
{
	int key;

	while ((key = top_screen_key(t->screen)) != TOP_KEY_NONE)
		on_key(t, key);
	if (events & (POLLHUP | POLLERR | POLLNVAL)) /* nobody is there */
		t->is_done = true;
}

/* Until the next sample, or until what is said is to be taken away, or to be
 * said that there is no answer. */
static int wait_ms(const struct top *t)
{
	int64_t now = now_ms(), until = t->next_ms;

	if (t->status[0] && t->status_ms > now && t->status_ms < until)
		until = t->status_ms;
	if (t->call.fd >= 0 && until > now + 1000)
		until = now + 1000;
	return until > now ? (int)(until - now) : 0;
}

static void turn(struct top *t)
{
	struct pollfd p[] = {
		{.fd = t->screen ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = t->signals, .events = POLLIN},
		{.fd = t->call.fd, .events = ctl_call_events(&t->call)},
		{.fd = t->order.fd, .events = ctl_call_events(&t->order)},
	};
	int r = poll(p, array_len(p), wait_ms(t));

	if (r > 0 && p[1].revents)
		on_signal(t);
	if (r > 0 && p[0].revents)
		on_keys(t, p[0].revents);
	if (t->call.fd >= 0)
		turn_sample(t);
	if (t->order.fd >= 0)
		turn_order(t);
	ask_if_due(t);
}

static int watch_signals(struct error *e)
{
	static const int wanted[] = {SIGTERM, SIGINT,	SIGHUP,
				     SIGQUIT, SIGWINCH, SIGCHLD};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < array_len(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_errno(e, errno, "top") : fd;
}

static int run_screen(struct top *t, struct error *e)
{
	int r = top_screen_open(&t->screen, e);

	while (r == 0 && !t->is_done) {
		r = show(t, e);
		if (r == 0)
			turn(t);
	}
	top_screen_close(t->screen);
	top_capture_end(&t->captures);
	return r;
}

static int run_once(struct top *t, struct error *e)
{
	const char *text = getenv("COLUMNS");
	int columns = text ? atoi(text) : 0;
	struct top_look look = {.network = t->network, .status = "",
				.trouble = "", .selected = "",
				.has_no_keys = true};

	while (t->n_samples < 2 && !t->is_done && t->failed.code == EXIT_DONE)
		turn(t);
	if (t->failed.code != EXIT_DONE) {
		*e = t->failed;
		return -1;
	}
	if (t->n_samples < 2) /* a signal */
		return error_set(e, EXIT_FAILED, "top: was told to end");
	if (columns < 40 || columns > 1000)
		columns = ONCE_COLUMNS;
	if (top_grid_init(&t->grid, top_view_rows(&t->model, ONCE_FLOWS),
			  columns) < 0)
		return error_errno(e, ENOMEM, "top");
	top_view_draw(&t->model, &look, &t->grid);
	top_grid_print(&t->grid, stdout);
	return 0;
}

/* ---- its words ---- */

/* The only network that runs. */
static int find_only(char name[CONTROL_NAME_LEN], struct error *e)
{
	json_t *list = json_array(), *o;
	char names[160] = "";
	size_t i;
	int r = list ? ctl_ask_all(ctl_ask, list, e)
		     : error_errno(e, ENOMEM, "top");

	if (r == 0 && !json_array_size(list))
		r = error_set(e, EXIT_NO_NETWORK, "top: no network is running");
	json_array_foreach(list, i, o) {
		size_t n = strlen(names);

		snprintf(name, CONTROL_NAME_LEN, "%s", ctl_str(o, "name"));
		snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
			 name);
	}
	if (r == 0 && json_array_size(list) > 1)
		r = error_set(e, EXIT_NO_OBJECT,
			      "top: which network? There are %s; name one",
			      names);
	json_decref(list);
	return r;
}

static int top(const char *name, int64_t interval_ms, bool is_once,
	       struct error *e)
{
	char only[CONTROL_NAME_LEN];
	struct top t = {.interval_ms = interval_ms, .call = CTL_CALL_NULL,
			.order = CTL_CALL_NULL, .signals = -1};
	json_t *o = NULL;
	int r;

	if (!is_once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return error_set(e, EXIT_USAGE,
				 "top: there is no terminal here; --once "
				 "prints one screen as text");
	start_sweep();
	if (!name && find_only(only, e) < 0)
		return -1;
	t.network = name ? name : only;
	/* Gives one whose keeper was killed another one. */
	if (find_network("top", t.network, CONTROL_NETWORK, &o, e) < 0)
		return -1;
	json_decref(o);
	list_init(&t.captures);
	t.next_ms = now_ms();
	t.signals = watch_signals(e);
	r = t.signals < 0 ? -1 : is_once ? run_once(&t, e) : run_screen(&t, e);
	ctl_call_end(&t.call);
	ctl_call_end(&t.order);
	drop_parts(&t);
	top_model_forget(&t.model);
	top_grid_deinit(&t.grid);
	fd_close(&t.signals);
	return r;
}

int cmd_top(int argc, char **argv)
{
	const char *name = NULL, *value;
	uint64_t ns = (uint64_t)INTERVAL_MS * 1000000;
	struct error e = ERROR_NULL;
	bool is_once = false;

	for (int i = 1; i < argc; i++) {
		int n = cli_value(argv[i], argv[i + 1], "--interval", &value);

		if (n < 0)
			return EXIT_USAGE;
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (n > 0 && (!cap_time_parse(value, &ns) ||
			      ns / 1000000 < INTERVAL_MIN_MS ||
			      ns / 1000000 > INTERVAL_MAX_MS))
			return cli_usage("top: --interval takes a time from "
					 "100ms to 1h, not '%s'",
					 value);
		if (n == 0 && strcmp(argv[i], "--once") == 0)
			is_once = true;
		else if (n == 0 && (argv[i][0] == '-' || name))
			return cli_usage("top: '%s' is one word too many; see "
					 "vmlan top --help",
					 argv[i]);
		else if (n == 0)
			name = argv[i];
		i += n > 1;
	}
	if (top(name, (int64_t)(ns / 1000000), is_once, &e) < 0)
		return cli_fail(&e);
	return EXIT_DONE;
}
