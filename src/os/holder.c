/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port's socket is found in /proc/net by its number, its owner by the
 * descriptor that points at the socket's inode (proc(5)).
 */
#include "os/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Inode and owner of a socket that is bound to port and, for TCP, listens. */
static bool find_in(const char *path, uint8_t proto, uint16_t port,
		    unsigned long *inodep, unsigned *uidp)
{
	FILE *f = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		unsigned long inode;
		unsigned local, state, uid;

		if (sscanf(line,
			   " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x "
			   "%*x:%*x %*x:%*x %*x %u %*u %lu",
			   &local, &state, &uid, &inode) != 4)
			continue;
		if (local != port || (proto == IPPROTO_TCP && state != 0x0a))
			continue;
		*inodep = inode;
		*uidp = uid;
		found = true;
	}
	fclose(f);
	return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[300], want[40], link[64];
	struct dirent *de;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	d = opendir(path);
	if (!d)
		return false;
	while (!found && (de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, link,
				       sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(d);
	return found;
}

static void name_process(const char *pid, char *buf, size_t len)
{
	char path[300], comm[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf, len, "%s (pid %s)", comm[0] ? comm : "a process", pid);
}

static bool name_owner(unsigned long inode, char *buf, size_t len)
{
	struct dirent *de;
	bool found = false;
	DIR *d = opendir("/proc");

	if (!d)
		return false;
	while (!found && (de = readdir(d))) {
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		found = has_socket(de->d_name, inode);
		if (found)
			name_process(de->d_name, buf, len);
	}
	closedir(d);
	return found;
}

const char *holder_of_port(uint8_t proto, uint16_t port, char *buf, size_t len)
{
	static const char *const tables[][2] = {
		{"/proc/net/tcp", "/proc/net/tcp6"},
		{"/proc/net/udp", "/proc/net/udp6"},
	};
	const char *const *t = tables[proto == IPPROTO_UDP];
	unsigned long inode = 0;
	unsigned uid = 0;

	snprintf(buf, len, "another process");
	if (!find_in(t[0], proto, port, &inode, &uid) &&
	    !find_in(t[1], proto, port, &inode, &uid))
		return buf;
	if (!name_owner(inode, buf, len) && uid != geteuid())
		snprintf(buf, len, "a process of another user (uid %u)", uid);
	return buf;
}
