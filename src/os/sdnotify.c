/* SPDX-License-Identifier: BSD-3-Clause */
/* sd_notify(3); see sdnotify.h. */
#include "os/sdnotify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"

int sdnotify_send(const char *state, struct error *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	CLEANUP_FD int fd = -1;
	socklen_t len;

	if (!path || !*path)
		return 0;
	if (strlen(path) >= sizeof(sa.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return error_set(e, EXIT_FAILED,
				 "NOTIFY_SOCKET=%s: not a socket's name", path);
	memcpy(sa.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			     (struct sockaddr *)&sa, len) < 0)
		return error_errno(e, errno, "NOTIFY_SOCKET=%s", path);
	return 0;
}
