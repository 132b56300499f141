/* SPDX-License-Identifier: BSD-3-Clause */
/* nftables by its program; see nft.h. */
#include "os/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"

enum {
	HELD_FD = STDERR_FILENO + 1, /* in the program */
	PATH_LEN = 256,
	SAID_LEN = 512, /* of what the program says, for the person */
	TEXT_LEN = 512, /* of our own short texts */
};

bool nft_is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	return *name && strspn(name, letters) == strlen(name);
}

bool nft_find(char *path, size_t room)
{
	static const char roots[] = "/usr/sbin:/sbin:/usr/local/sbin";
	const char *places[] = {getenv("PATH"), roots};

	for (size_t i = 0; i < array_len(places); i++) {
		const char *p = places[i] ? places[i] : "";

		while (*p) {
			size_t len = strcspn(p, ":");
			int n = snprintf(path, room, "%.*s/nft", (int)len, p);

			if (len && n > 0 && (size_t)n < room &&
			    access(path, X_OK) == 0)
				return true;
			p += len;
			p += *p == ':';
		}
	}
	return false;
}

/* The program opens its input by name, which a pipe or a socket would spoil:
 * so it is a file. */
static int as_file(const char *text)
{
	CLEANUP_FD int fd = memfd_create("nft", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, text, strlen(text));
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return fd_steal(&fd);
}

static int spawn(const char *path, int in, int out, int held, pid_t *pidp)
{
	char *const argv[] = {"nft", "-j", "-f", "-", NULL};
	char *const env[] = {"LC_ALL=C", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	err = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, out,
						       STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, out,
						       STDERR_FILENO);
	if (!err && held >= 0)
		err = posix_spawn_file_actions_adddup2(&files, held, HELD_FD);
	if (!err)
		err = posix_spawnattr_setsigmask(&attr, &none);
	if (!err)
		err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	if (!err)
		err = posix_spawn(pidp, path, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -err;
}

/* Reads to the end; keeps the beginning, as one line, and in all as it is, if
 * that is asked for. */
static void hear(int fd, char *said, FILE *all)
{
	char buf[SAID_LEN];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		for (ssize_t i = 0; i < n && len < SAID_LEN - 1; i++)
			said[len++] = buf[i] < ' ' ? ' ' : buf[i];
		if (all && n > 0)
			(void)fwrite(buf, 1, (size_t)n, all);
	}
	said[len] = '\0';
}

static int judge(int status, const char *said, struct error *e)
{
	bool is_denied = strstr(said, "Operation not permitted");

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	error_set(e, is_denied ? EXIT_PERMISSION : EXIT_FAILED, "nft: %s",
		  *said ? said : "it failed and did not say why");
	if (is_denied)
		return -EPERM;
	return strstr(said, "No such file or directory") ? -ESRCH : -EIO;
}

static int run(const char *json, int held, FILE *all, struct error *e)
{
	CLEANUP_FD int in = as_file(json), hears = -1, says = -1;
	char path[PATH_LEN], said[SAID_LEN];
	int fd[2], status = 0, r;
	pid_t pid;

	if (!nft_find(path, sizeof(path))) {
		error_set(e, EXIT_FAILED,
			  "nft: not found; install nftables (apt install "
			  "nftables)");
		return -ENOENT;
	}
	if (in < 0)
		return error_errno(e, in, "nft");
	if (pipe2(fd, O_CLOEXEC) < 0)
		return error_errno(e, errno, "nft");
	hears = fd[0];
	says = fd[1];
	r = spawn(path, in, says, held, &pid);
	if (r < 0)
		return error_errno(e, r, "%s cannot be run", path);
	fd_close(&says);
	hear(hears, said, all);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_errno(e, errno, "nft");
	}
	return judge(status, said, e);
}

int nft_run(const char *json, int held, struct error *e)
{
	return run(json, held, NULL, e);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool is_dropper(const json_t *chain, bool with_v6)
{
	const char *family = text_of(chain, "family");

	return strcmp(text_of(chain, "hook"), "forward") == 0 &&
	       strcmp(text_of(chain, "policy"), "drop") == 0 &&
	       (strcmp(family, "ip") == 0 || strcmp(family, "inet") == 0 ||
		(with_v6 && strcmp(family, "ip6") == 0));
}

/* What it lists, malloc'd: *textp is the caller's. */
static int list(const char *what, char **textp, struct error *e)
{
	char json[TEXT_LEN + 64];
	size_t len;
	FILE *f = open_memstream(textp, &len);
	int r;

	if (!f)
		return error_errno(e, ENOMEM, "nft");
	snprintf(json, sizeof(json), "{\"nftables\":[{\"list\":{%s}}]}", what);
	r = run(json, -1, f, e);
	if (fclose(f) != 0 && r == 0)
		r = error_errno(e, ENOMEM, "nft");
	return r;
}

/* Whether a rule of the chain names the interface. */
static int knows(const json_t *chain, const char *ifname, struct error *e)
{
	CLEANUP_FREE char *text = NULL;
	char what[TEXT_LEN], name[64];
	int r;

	snprintf(what, sizeof(what),
		 "\"chain\":{\"family\":\"%s\",\"table\":\"%s\","
		 "\"name\":\"%s\"}",
		 text_of(chain, "family"), text_of(chain, "table"),
		 text_of(chain, "name"));
	snprintf(name, sizeof(name), "\"%s\"", ifname);
	r = list(what, &text, e);
	if (r < 0)
		return r;
	return strstr(text, name) ||
	       (strncmp(ifname, "vm-", 3) == 0 && strstr(text, "\"vm-*\""));
}

int nft_find_dropper(const char *ifname, bool with_v6, char *buf, size_t room,
		     struct error *e)
{
	CLEANUP_FREE char *text = NULL;
	json_t *all, *v;
	size_t i;
	int r = list("\"chains\":null", &text, e);

	buf[0] = '\0';
	if (r < 0)
		return r;
	all = json_loads(text, 0, NULL);
	r = 0;
	json_array_foreach(json_object_get(all, "nftables"), i, v) {
		const json_t *chain = json_object_get(v, "chain");

		if (!is_dropper(chain, with_v6))
			continue;
		r = knows(chain, ifname, e);
		if (r < 0)
			break;
		if (r > 0)
			continue;
		snprintf(buf, room, "%s %s %s", text_of(chain, "family"),
			 text_of(chain, "table"), text_of(chain, "name"));
		break;
	}
	json_decref(all);
	return r < 0 ? r : buf[0] != '\0';
}

int nft_table_find(const char *family, const char *name, struct error *e)
{
	struct error quiet = ERROR_NULL;
	char text[TEXT_LEN];
	int r;

	snprintf(text, sizeof(text),
		 "{\"nftables\":[{\"list\":{\"table\":{\"family\":\"%s\","
		 "\"name\":\"%s\"}}}]}",
		 family, name);
	r = nft_run(text, -1, &quiet);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		error_set(e, quiet.code, "%s", quiet.text);
	return r < 0 ? r : 1;
}

/* To remove one that may be missing, it is added first. */
int nft_table_del(const char *family, const char *name, int held,
		  struct error *e)
{
	char text[TEXT_LEN];

	snprintf(text, sizeof(text),
		 "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"%s\","
		 "\"name\":\"%s\"}}},{\"delete\":{\"table\":{\"family\":"
		 "\"%s\",\"name\":\"%s\"}}}]}",
		 family, name, family, name);
	return nft_run(text, held, e);
}
