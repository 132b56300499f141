/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan as the first and only program of a guest of the matrix (see
 * matrix_image.c): loads the modules of its card, answers as every node does,
 * and obeys the orders that come by the second serial line.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/matrix.h"
#include "os/enclave.h"
#include "os/rtnl.h"

enum { NAME_LEN = 256 };

static int mount_all(struct error *e)
{
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		return error_errno(e, errno, "/proc");
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
		return error_errno(e, errno, "/dev");
	return 0;
}

/* ---- modules ---- */

static int load(const char *name, struct error *e)
{
	const char *end = strrchr(name, '.');
	/* "x.ko.xz": the kernel unpacks it, if it can. */
	bool is_packed = end && strcmp(end, ".ko") != 0;
	CLEANUP_FD int fd = -1;
	char path[NAME_LEN + sizeof(AGENT_MODULES)];

	snprintf(path, sizeof(path), AGENT_MODULES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 &&
	    (syscall(SYS_finit_module, fd, "",
		     is_packed ? MODULE_INIT_COMPRESSED_FILE : 0) == 0 ||
	     errno == EEXIST))
		return 0;
	return error_errno(e, errno, "module %s%s", name,
			   is_packed ? ", which the kernel has to unpack" : "");
}

static int load_all(struct error *e)
{
	char name[NAME_LEN];
	FILE *f = fopen(AGENT_MODULES "/order", "re");
	int r = 0;

	if (!f)
		return error_errno(e, errno, AGENT_MODULES "/order");
	while (r == 0 && fgets(name, sizeof(name), f)) {
		name[strcspn(name, "\n")] = '\0';
		r = load(name, e);
	}
	fclose(f);
	return r;
}

/* ---- who answers ---- */

static int set_lo_up(struct error *e)
{
	int r = rtnl_lo_up();

	return r < 0 ? error_errno(e, r, "lo") : 0;
}

static int start_answering(enum node_id id, struct error *e)
{
	struct node n = {.id = id};
	pid_t pid = enclave_child(matrix_answer, &n, e);

	return pid ? pid
		   : error_set(e, EXIT_FAILED, "nobody answers in it");
}

/* ---- orders ---- */

static int open_line(struct error *e)
{
	CLEANUP_FD int fd = open(AGENT_TTY, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t) < 0)
		return error_errno(e, errno, AGENT_TTY);
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return error_errno(e, errno, AGENT_TTY);
	return fd_steal(&fd);
}

static int hear(int fd, struct order *o)
{
	size_t len = 0;

	while (len < sizeof(*o)) {
		ssize_t n = read(fd, (char *)o + len, sizeof(*o) - len);

		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* By one write, which nobody else's interrupts. */
static void obey(int fd, const struct order *o)
{
	struct report rep;

	order_obey(o, &rep);
	(void)!write(fd, &rep, sizeof(rep)); /* who waits for it gives up */
}

static void serve(int fd)
{
	const char up = AGENT_UP;
	struct order o;

	if (write(fd, &up, 1) != 1)
		return;
	while (hear(fd, &o) == 0) {
		if (o.kind != ORDER_PROBE) {
			obey(fd, &o);
		} else if (fork() == 0) {
			obey(fd, &o);
			_exit(EXIT_DONE);
		}
	}
}

static int node_of(const char *name, enum node_id *idp)
{
	for (int id = NODE_A; id <= NODE_B; id++) {
		if (strcmp(node_names[id], name) == 0) {
			*idp = (enum node_id)id;
			return 0;
		}
	}
	return -1;
}

int matrix_agent(const char *name)
{
	struct error e = ERROR_NULL;
	enum node_id id;
	CLEANUP_FD int fd = -1;

	if (getpid() != 1 || node_of(name, &id) < 0)
		return cli_usage("matrix: unknown option '" AGENT_OPTION "'; "
				 "see vmlan matrix --help");
	signal(SIGCHLD, SIG_IGN); /* children's ends are nobody's matter */
	if (mount_all(&e) == 0 && load_all(&e) == 0 && set_lo_up(&e) == 0 &&
	    start_answering(id, &e) > 0)
		fd = open_line(&e);
	if (fd >= 0)
		serve(fd);
	error_set(&e, EXIT_FAILED, "nobody tells it what to do");
	/* The kernel panics then, which ends the machine. */
	return cli_fail(&e);
}
