/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Machines of the matrix that are guests of QEMU, as the row's enclave sees
 * them: how they are started, and the line on which they are told what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/matrix.h"

enum { HEAR_MS = GUEST_YES_MS + 60000 };

static void put_path(enum node_id id, char buf[static 64])
{
	snprintf(buf, 64, "/run/matrix-%s.sock", node_names[id]);
}

static const struct guest_line *line_of(const struct world *w, enum node_id id)
{
	return &w->lines[id - NODE_A];
}

int guest_listen(struct world *w, enum node_id id, struct error *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = socket(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	put_path(id, sa.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 1) < 0)
		return error_errno(e, errno, "%s", sa.sun_path);
	w->lines[id - NODE_A] =
		(struct guest_line){.listener = fd_steal(&fd), .fd = -1};
	return 0;
}

/*
 * An ordinary PC without what it does not need: the first serial line has the
 * kernel's words, the second ours.  TCG runs everywhere and is as good a guest
 * as any.
 */
void guest_words(const struct world *w, enum node_id id, struct vmm_words *v)
{
	char path[64], log[64];

	put_path(id, path);
	vm_log_path(id, log);
	for (const char *const *p = (const char *const[]){
		     "qemu-system-x86_64", "-nodefaults", "-no-user-config",
		     "-machine", "pc", "-accel", "tcg", "-cpu", "max",
		     "-display", "none", "-no-reboot",
		     /* No boot from the network. */
		     "-global", "virtio-net-pci.romfile=", NULL};
	     *p; p++)
		vmm_word(v, "%s", *p);
	vmm_word(v, "-m");
	vmm_word(v, "%u", w->image->memory_mib);
	vmm_word(v, "-kernel");
	vmm_word(v, "/proc/1/fd/%d", w->image->kernel);
	vmm_word(v, "-initrd");
	vmm_word(v, "/proc/1/fd/%d", w->image->initrd);
	vmm_word(v, "-append");
	/* A kernel tests its timer, and panics where the host is too busy to
	 * give it a tick in time. */
	vmm_word(v,
		 "console=ttyS0 quiet panic=-1 no_timer_check 8250.nr_uarts=2 "
		 "LD_LIBRARY_PATH=/lib rdinit=/vmlan -- matrix " AGENT_OPTION
		 " %s",
		 node_names[id]);
	vmm_word(v, "-chardev");
	vmm_word(v, "file,id=words,append=on,path=%s", log);
	vmm_word(v, "-serial");
	vmm_word(v, "chardev:words");
	vmm_word(v, "-chardev");
	vmm_word(v, "socket,id=orders,path=%s", path);
	vmm_word(v, "-serial");
	vmm_word(v, "chardev:orders");
}

bool guest_is_up(struct world *w, enum node_id id)
{
	struct guest_line *l = &w->lines[id - NODE_A];
	char byte;

	if (l->fd < 0)
		l->fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
	return l->fd >= 0 && recv(l->fd, &byte, 1, MSG_DONTWAIT) == 1 &&
	       byte == AGENT_UP;
}

int guest_tell(const struct world *w, enum node_id id, const struct order *o,
	       struct error *e)
{
	ssize_t n = send(line_of(w, id)->fd, o, sizeof(*o), MSG_NOSIGNAL);

	return n == sizeof(*o) ? 0
			       : error_set(e, EXIT_FAILED,
					   "machine %s is not there any more",
					   node_names[id]);
}

int guest_hear(const struct world *w, enum node_id id, struct report *rep,
	       struct error *e)
{
	struct pollfd p = {.fd = line_of(w, id)->fd, .events = POLLIN};
	size_t len = 0;

	while (len < sizeof(*rep)) {
		ssize_t n = poll(&p, 1, HEAR_MS);

		if (n == 0)
			return error_set(e, EXIT_FAILED,
					 "machine %s says nothing more",
					 node_names[id]);
		n = n < 0 ? -1
			  : recv(p.fd, (char *)rep + len, sizeof(*rep) - len,
				 MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return error_set(e, EXIT_FAILED,
					 "machine %s is not there any more",
					 node_names[id]);
		len += n > 0 ? (size_t)n : 0;
	}
	rep->error[sizeof(rep->error) - 1] = '\0';
	return 0;
}
