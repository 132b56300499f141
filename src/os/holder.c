/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port's socket is found in /proc/net by its number, its owner by the
 * descriptor that points at the socket's inode (proc(5)).
 */
#include "os/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An address as the kernel prints it, in words of the host's order. */
static bool parse_address(const char *hex, addr *ap)
{
	size_t n = strlen(hex) / 8;
	uint32_t words[4];

	if (n != 1 && n != 4)
		return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	if (n == 1)
		*ap = addr_v4_u32(ntohl(words[0]));
	else
		memcpy(ap->b, words, sizeof(ap->b));
	return true;
}

/* Whether nobody can have b's port while another has a's. */
static bool is_in_the_way(const addr *a, const addr *b)
{
	bool all_a = addr_is_unspecified(a), all_b = addr_is_unspecified(b);

	if (addr_is_v4(a) == addr_is_v4(b))
		return addr_eq(a, b) || all_a || all_b;
	/* all of IPv6 are all of IPv4, if both are wanted */
	return (all_a && !addr_is_v4(a)) || (all_b && !addr_is_v4(b));
}

/* Inode and owner of a socket that has ep and, for TCP, listens: those are the
 * first that the kernel tells of, and connections may be many. */
static bool find_in(const char *path, uint8_t proto, const struct endpoint *ep,
		    unsigned long *inodep, unsigned *uidp)
{
	FILE *f = fopen(path, "re");
	char line[512], hex[33];
	bool found = false;
	addr ip;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		unsigned long inode;
		unsigned local, state, uid;

		if (sscanf(line,
			   " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x "
			   "%*x:%*x %*x:%*x %*x %u %*u %lu",
			   hex, &local, &state, &uid, &inode) != 5)
			continue;
		if (proto == IPPROTO_TCP && state != TCP_LISTEN)
			break;
		if (local != ep->port || !parse_address(hex, &ip) ||
		    !is_in_the_way(&ip, &ep->ip))
			continue;
		*inodep = inode;
		*uidp = uid;
		found = true;
	}
	fclose(f);
	return found;
}

/* Whether one of its descriptors is what /proc calls so, as far as *looksp
 * goes. */
static bool has_file(const char *pid, const char *want, unsigned *looksp)
{
	unsigned looks = *looksp < HOLDER_LOOKS_EACH ? *looksp
						      : HOLDER_LOOKS_EACH;
	char path[300], link[PATH_MAX];
	struct dirent *de;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	d = opendir(path);
	if (!d)
		return false;
	while (!found && looks && (de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, link,
				       sizeof(link) - 1);

		looks--;
		--*looksp;
		if (n <= 0)
			continue;
		link[n] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(d);
	return found;
}

/* Its name, which is whatever it likes, in plain letters: it is shown on
 * terminals. */
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
	for (char *p = comm; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	snprintf(buf, len, "%s (pid %s)", comm[0] ? comm : "a process", pid);
}

/* Of another process than self, 0: of any. */
static bool name_owner(const char *file, pid_t self, char *buf, size_t len)
{
	unsigned looks = HOLDER_LOOKS;
	struct dirent *de;
	bool found = false;
	DIR *d = opendir("/proc");

	if (!d)
		return false;
	while (!found && looks && (de = readdir(d))) {
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		looks--;
		found = atoi(de->d_name) != self &&
			has_file(de->d_name, file, &looks);
		if (found)
			name_process(de->d_name, buf, len);
	}
	closedir(d);
	return found;
}

/* The same in the table of its family, then in the other's. */
static bool find(uint8_t proto, const struct endpoint *ep,
		 unsigned long *inodep, unsigned *uidp)
{
	static const char *const tables[][2] = {
		{"/proc/net/tcp", "/proc/net/tcp6"},
		{"/proc/net/udp", "/proc/net/udp6"},
	};
	const char *const *t = tables[proto == IPPROTO_UDP];
	bool is_v6 = !addr_is_v4(&ep->ip);

	return find_in(t[is_v6], proto, ep, inodep, uidp) ||
	       find_in(t[!is_v6], proto, ep, inodep, uidp);
}

unsigned long holder_socket(uint8_t proto, const struct endpoint *ep)
{
	unsigned long inode = 0;
	unsigned uid = 0;

	return find(proto, ep, &inode, &uid) ? inode : 0;
}

bool holder_find_port(uint8_t proto, const struct endpoint *ep, char *buf,
		      size_t len)
{
	unsigned long inode = 0;
	unsigned uid = 0;
	char file[40];

	if (!find(proto, ep, &inode, &uid))
		return false;
	snprintf(buf, len, "another process");
	snprintf(file, sizeof(file), "socket:[%lu]", inode);
	if (!name_owner(file, 0, buf, len) && uid != geteuid())
		snprintf(buf, len, "a process of another user (uid %u)", uid);
	return true;
}

const char *holder_of_port(uint8_t proto, const struct endpoint *ep, char *buf,
			   size_t len)
{
	if (!holder_find_port(proto, ep, buf, len))
		snprintf(buf, len, "another process");
	return buf;
}

const char *holder_of_file(int fd, char *buf, size_t len)
{
	char path[40], file[PATH_MAX];
	ssize_t n;

	snprintf(buf, len, "another process");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, file, sizeof(file) - 1);
	if (n <= 0)
		return buf;
	file[n] = '\0';
	(void)name_owner(file, getpid(), buf, len); /* or as above */
	return buf;
}
