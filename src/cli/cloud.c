/* SPDX-License-Identifier: BSD-3-Clause */
/* user-data and meta-data made of what is known; see cloud.h. */
#include "cli/cloud.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/clock.h"
#include "os/command.h"
#include "os/file.h"
#include "os/proc.h"

enum {
	KEYS_LEN = 65536, /* bytes of a file of keys, or of an agent's answer */
	KEYS_MAX = 64,
	KEY_LEN = 4096, /* of a line; RSA of 16384 bits has 2800 */
	AGENT_MS = 3000, /* it may be at the other end of an ssh */
};

/* ---- lines ---- */

static bool is_key_type(const char *word, size_t len)
{
	static const char *const types[] = {"ssh-", "ecdsa-sha2-", "sk-ssh-",
					    "sk-ecdsa-sha2-"};
	static const char cert[] = "-cert-v";

	if (memmem(word, len, cert, sizeof(cert) - 1))
		return false;
	for (size_t i = 0; i < array_len(types); i++) {
		size_t n = strlen(types[i]);

		if (len > n && strncmp(word, types[i], n) == 0)
			return true;
	}
	return false;
}

/* All keys begin with four bytes that count their type's. */
static bool is_key_body(const char *word, size_t len)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/=";

	return len > 40 && strncmp(word, "AAAA", 4) == 0 &&
	       strspn(word, chars) >= len;
}

/* True if the list has a key of these first bytes, type and body. */
static bool has_key(const json_t *keys, const char *key, size_t len)
{
	size_t i;
	json_t *v;

	json_array_foreach(keys, i, v) {
		const char *other = json_string_value(v);

		if (strncmp(other, key, len) == 0 &&
		    (!other[len] || other[len] == ' '))
			return true;
	}
	return false;
}

static void put_key(json_t *keys, const char *text, size_t len)
{
	char line[KEY_LEN];
	size_t type, body, n;

	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\r'))
		len--;
	if (!len || len >= sizeof(line) || memchr(text, '\0', len))
		return;
	for (size_t i = 0; i < len; i++)
		line[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	line[len] = '\0';
	type = strcspn(line, " ");
	if (!line[type] || !is_key_type(line, type))
		return;
	body = strcspn(line + type + 1, " ");
	n = type + 1 + body;
	if (is_key_body(line + type + 1, body) && !has_key(keys, line, n) &&
	    json_array_size(keys) < KEYS_MAX)
		json_array_append_new(keys, json_string(line));
}

void cloud_put_keys(json_t *keys, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		put_key(keys, text, n);
		n += end != NULL;
		text += n;
		len -= n;
	}
}

/* ---- where they are ---- */

static void put_file(json_t *keys, const char *path)
{
	CLEANUP_FREE char *text = malloc(KEYS_LEN);
	CLEANUP_FD int fd = file_open_plain(path, KEYS_LEN);
	ssize_t n = text && fd >= 0 ? read(fd, text, KEYS_LEN) : -1;

	if (n > 0)
		cloud_put_keys(keys, text, (size_t)n);
}

static void put_files(json_t *keys)
{
	const char *home = getenv("HOME");
	CLEANUP_FREE char *pattern = NULL;
	glob_t g = {.gl_pathc = 0};

	if (!home)
		return;
	if (asprintf(&pattern, "%s/.ssh/*.pub", home) < 0) {
		pattern = NULL;
		return;
	}
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			put_file(keys, g.gl_pathv[i]);
	}
	globfree(&g);
}

/* Reads to the end, or for as long as an agent may take. */
static size_t read_all(int fd, char *text)
{
	int64_t until = now_ms() + AGENT_MS;
	size_t len = 0;

	while (len < KEYS_LEN && clock_await(fd, POLLIN, until) == 0) {
		ssize_t n = read(fd, text + len, KEYS_LEN - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

static void put_agents(json_t *keys)
{
	char program[] = "ssh-add", option[] = "-L";
	char *const argv[] = {program, option, NULL};
	CLEANUP_FREE char *text = malloc(KEYS_LEN);
	CLEANUP_FD int fd = -1;
	struct error e = ERROR_NULL; /* who has no agent has files */
	pid_t pid;

	if (!text || !getenv("SSH_AUTH_SOCK"))
		return;
	fd = command_start(argv, 0, &pid, &e);
	if (fd < 0)
		return;
	cloud_put_keys(keys, text, read_all(fd, text));
	kill(pid, SIGKILL);
	proc_bury(pid);
}

json_t *cloud_keys(struct error *e)
{
	json_t *keys = json_array();

	if (!keys) {
		error_errno(e, ENOMEM, "--cloud");
		return NULL;
	}
	put_files(keys);
	put_agents(keys);
	if (json_array_size(keys))
		return keys;
	json_decref(keys);
	error_set(e, EXIT_FAILED,
		  "--cloud lets your SSH keys in, and there is none in "
		  "~/.ssh/*.pub or your agent; make one with ssh-keygen, or "
		  "give a --user-data");
	return NULL;
}

/* ---- documents ---- */

/* JSON is YAML, and quotes all by itself. */
static char *print_config(json_t *o)
{
	CLEANUP_FREE char *json =
		o ? json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
	char *text;

	json_decref(o);
	if (!json || asprintf(&text, "#cloud-config\n%s\n", json) < 0)
		return NULL;
	return text;
}

char *cloud_user_data(const json_t *keys, const char *user)
{
	json_t *list = (json_t *)keys; /* only counted */

	if (user && strcmp(user, "root") == 0)
		return print_config(json_pack("{s:b,s:O}", "disable_root", 0,
					      "ssh_authorized_keys", list));
	if (!user)
		return print_config(json_pack("{s:O}", "ssh_authorized_keys",
					      list));
	return print_config(json_pack(
		"{s:O,s:[s,{s:s,s:s,s:b,s:O}]}", "ssh_authorized_keys", list,
		"users", "default", "name", user, "sudo",
		"ALL=(ALL) NOPASSWD:ALL", "lock_passwd", 1,
		"ssh_authorized_keys", list));
}

static uint64_t instance(const char *name, const char *disk)
{
	/* A fixed key: the same in each run. */
	static const struct hash_key key = {0x766d6c616e20696e, 0x7374616e6365};
	CLEANUP_FREE char *text = NULL;
	int len = asprintf(&text, "%s/%s", name, disk ? disk : "");

	if (len < 0)
		text = NULL;
	return len < 0 ? 0 : hash_bytes(&key, text, (size_t)len);
}

char *cloud_meta_data(const char *host, const char *name, const char *disk)
{
	char *text;

	/* In quotes, or a machine called 1 would be a number. */
	if (asprintf(&text,
		     "instance-id: vmlan-%s-%016jx\nlocal-hostname: \"%s\"\n",
		     name, (uintmax_t)instance(name, disk), host) < 0)
		return NULL;
	/* Names of hosts have no '_' (RFC 952). */
	for (char *p = strstr(text, "\nlocal-"); *p; p++) {
		if (*p == '_')
			*p = '-';
	}
	return text;
}
