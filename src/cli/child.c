/* SPDX-License-Identifier: BSD-3-Clause */
/* A program as a child; see child.h. */
#include "cli/child.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

int child_signals(sigset_t *oldp)
{
	static const int wanted[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2,
				     SIGINT,  SIGQUIT, SIGCHLD};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < array_len(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, oldp);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What the terminal sends, it sends to the child too. */
static void pass_on(pid_t pid, const struct signalfd_siginfo *si)
{
	int signo = (int)si->ssi_signo;

	if ((signo != SIGINT && signo != SIGQUIT) ||
	    si->ssi_code != SI_KERNEL)
		kill(pid, signo);
}

void child_pass_on(pid_t pid, int sfd)
{
	struct signalfd_siginfo si;

	if (read(sfd, &si, sizeof(si)) == sizeof(si) &&
	    si.ssi_signo != SIGCHLD)
		pass_on(pid, &si);
}

/* Until there is a signal. */
static void do_duty(int sfd, struct child_duty *d)
{
	for (;;) {
		int ms = d->turn(d);
		struct pollfd p[] = {{.fd = sfd, .events = POLLIN},
				     {.fd = d->fd, .events = POLLIN}};

		if (poll(p, array_len(p), ms) > 0 && p[0].revents)
			return;
	}
}

int child_wait(pid_t pid, int sfd, struct child_duty *d)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (got < 0 && errno != EINTR)
			return -1;
		if (d)
			do_duty(sfd, d);
		child_pass_on(pid, sfd);
	}
}
