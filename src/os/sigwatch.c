/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals as events; see sigwatch.h. */
#include "os/sigwatch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/list.h"

struct sigwatch {
	struct loop *loop; /* borrowed */
	struct loop_io io; /* fd owned */
	sigset_t old;
	void (*fn)(void *arg, int signo);
	void *arg;
};

static void on_ready(struct loop_io *io, uint32_t events)
{
	struct sigwatch *w = container_of(io, struct sigwatch, io);
	struct signalfd_siginfo si;

	(void)events; /* level-triggered: what is left comes again */
	if (read(io->fd, &si, sizeof(si)) == sizeof(si))
		w->fn(w->arg, (int)si.ssi_signo);
}

static bool is_ignored(int signo)
{
	struct sigaction sa;

	return sigaction(signo, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

int sigwatch_new(struct loop *l, const int *signals, unsigned n,
		 void (*fn)(void *arg, int signo), void *arg,
		 struct sigwatch **wp)
{
	struct sigwatch *w = calloc(1, sizeof(*w));
	sigset_t set;
	int r;

	if (!w)
		return -ENOMEM;
	sigemptyset(&set);
	/* Blocked, an ignored one would come all the same. */
	for (unsigned i = 0; i < n; i++) {
		if (!is_ignored(signals[i]))
			sigaddset(&set, signals[i]);
	}
	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	w->io.fn = on_ready;
	sigprocmask(SIG_BLOCK, &set, &w->old);
	w->io.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (w->io.fd < 0) {
		r = -errno;
		goto err_unblock;
	}
	r = loop_add_level(l, &w->io, EPOLLIN);
	if (r < 0)
		goto err_close;
	*wp = w;
	return 0;

err_close:
	close(w->io.fd);
err_unblock:
	sigprocmask(SIG_SETMASK, &w->old, NULL);
	free(w);
	return r;
}

struct sigwatch *sigwatch_free(struct sigwatch *w)
{
	struct signalfd_siginfo si;

	if (!w)
		return NULL;
	loop_del(w->loop, &w->io);
	/* What waits is for us: unblocked, it would end the process in the
	 * middle of its farewell. */
	while (read(w->io.fd, &si, sizeof(si)) == sizeof(si))
		;
	close(w->io.fd);
	sigprocmask(SIG_SETMASK, &w->old, NULL);
	free(w);
	return NULL;
}
