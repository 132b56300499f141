/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cloud image that starts by itself: what its cloud-init is told (NoCloud)
 * is handed to the keeper of a network of the machine's, which serves it inside
 * by HTTP to that machine alone, and QEMU's SMBIOS says where.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cloud.h"
#include "cli/ctl.h"
#include "cli/run.h"
#include "os/file.h"

int run_cloud_user_data(struct run *r, const char *path)
{
	if (r->cloud.user_file)
		return cli_usage("run: --user-data is given twice; it is one "
				 "file");
	r->cloud.user_file = path;
	r->cloud.is_on = true;
	return 0;
}

int run_cloud_meta_data(struct run *r, const char *path)
{
	if (r->cloud.meta_file)
		return cli_usage("run: --meta-data is given twice; it is one "
				 "file");
	r->cloud.meta_file = path;
	r->cloud.is_on = true;
	return 0;
}

/* ---- before there is a network ---- */

/* All of a file of an option's. */
static int load(const char *option, const char *path, char **textp,
		size_t *np, struct error *e)
{
	CLEANUP_FD int fd = file_open_plain(path, CONTROL_CLOUD_MAX);
	char *text = NULL;
	ssize_t n = 0;

	if (fd == -EFBIG)
		return error_set(e, EXIT_FAILED,
				 "%s %s: is longer than %d bytes, which is all "
				 "that is served",
				 option, path, CONTROL_CLOUD_MAX);
	if (fd == -EINVAL)
		return error_set(e, EXIT_FAILED, "%s %s: is no ordinary file",
				 option, path);
	if (fd < 0)
		return error_errno(e, fd, "%s %s", option, path);
	text = malloc(CONTROL_CLOUD_MAX);
	if (!text)
		return error_errno(e, ENOMEM, "%s %s", option, path);
	*np = 0;
	do {
		n = read(fd, text + *np, CONTROL_CLOUD_MAX - *np);
		*np += n > 0 ? (size_t)n : 0;
	} while (n > 0 && *np < CONTROL_CLOUD_MAX);
	if (n < 0) {
		free(text);
		return error_errno(e, errno, "%s %s", option, path);
	}
	*textp = text;
	return 0;
}

/* The caller's login name, if it is one that any image can have; else NULL. */
static const char *own_name(void)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
	const struct passwd *pw = getpwuid(geteuid());
	const char *name = pw ? pw->pw_name : "";
	size_t len = strlen(name);

	return len && len <= 32 && strchr(first, name[0]) &&
			       strspn(name, more) == len
		       ? name
		       : NULL;
}

static int make_user_data(struct run_cloud *c, struct error *e)
{
	json_t *keys = cloud_keys(e);

	if (!keys)
		return -1;
	c->user_data = cloud_user_data(keys, own_name());
	json_decref(keys);
	if (!c->user_data)
		return error_errno(e, ENOMEM, "--cloud");
	c->n_user_data = strlen(c->user_data);
	return 0;
}

static int check_options(const struct run *r)
{
	const struct run_cloud *c = &r->cloud;

	if (c->is_made && c->user_file)
		return cli_usage("run: --cloud makes a user-data, and "
				 "--user-data %s is one; leave one out",
				 c->user_file);
	if (!c->is_made && !c->user_file)
		return cli_usage("run: --meta-data goes with a --user-data, or "
				 "with --cloud");
	if (!r->n_nics)
		return cli_usage("run: cloud-init asks the machine's network, "
				 "and there is none");
	if (r->qemu.is_qemu && !r->qemu.has_smbios)
		return cli_usage("run: %s has no SMBIOS, where cloud-init "
				 "would find that it is asked for",
				 r->vmm[0]);
	return 0;
}

int run_cloud_check(struct run *r)
{
	struct run_cloud *c = &r->cloud;
	struct error e = ERROR_NULL;
	int rc = c->is_on ? check_options(r) : 0;

	if (rc || !c->is_on)
		return rc;
	rc = c->is_made ? make_user_data(c, &e)
			: load("--user-data", c->user_file, &c->user_data,
			       &c->n_user_data, &e);
	if (rc == 0 && c->meta_file)
		rc = load("--meta-data", c->meta_file, &c->meta_data,
			  &c->n_meta_data, &e);
	return rc < 0 ? run_net_failure(&e) : 0;
}

/* ---- when there is ---- */

/* Where the first disk is, whatever leads there: the caller's; NULL: none is
 * known. */
static char *disk_path(const struct run *r)
{
	CLEANUP_FREE char *path =
		r->qemu.disk ? strndup(r->qemu.disk, r->qemu.disk_len) : NULL;

	return path ? realpath(path, NULL) : NULL;
}

static int make_meta_data(struct run *r, const struct run_nic *nic,
			  struct error *e)
{
	CLEANUP_FREE char *disk = disk_path(r);
	struct run_cloud *c = &r->cloud;

	if (c->meta_file)
		return 0;
	free(c->meta_data); /* of another network, where it has another name */
	c->meta_data = cloud_meta_data(nic->machine, r->name, disk);
	if (!c->meta_data)
		return error_errno(e, ENOMEM, "run");
	c->n_meta_data = strlen(c->meta_data);
	return 0;
}

static int put(struct run *r, const struct run_nic *nic, const char *part,
	       const char *data, size_t n, struct error *e)
{
	char path[sizeof(CONTROL_MACHINES) + CONTROL_NAME_LEN + 16];
	json_t *answer = NULL;
	int rc;

	snprintf(path, sizeof(path), CONTROL_MACHINES "/%s%s", nic->machine,
		 part);
	rc = ctl_send(nic->network, "PUT", path, data, n, &answer, e);
	if (rc < 0)
		return error_set(e, EXIT_FAILED, "network %s has ended",
				 nic->network);
	snprintf(r->cloud.url, sizeof(r->cloud.url), "%s",
		 ctl_str(answer, "url"));
	json_decref(answer);
	return 0;
}

static int put_both(struct run *r, const struct run_nic *nic, struct error *e)
{
	const struct run_cloud *c = &r->cloud;
	int rc = make_meta_data(r, nic, e);

	if (rc == 0)
		rc = put(r, nic, CONTROL_USER_DATA, c->user_data,
			 c->n_user_data, e);
	if (rc == 0)
		rc = put(r, nic, CONTROL_META_DATA, c->meta_data,
			 c->n_meta_data, e);
	return rc;
}

/* The first network that serves it. */
int run_cloud_put(struct run *r)
{
	struct error first = ERROR_NULL;

	if (!r->cloud.is_on)
		return 0;
	for (unsigned i = 0; i < r->n_nics; i++) {
		struct error e = ERROR_NULL;

		if (put_both(r, &r->nics[i], &e) == 0) {
			if (r->qemu.sets_serial)
				log_warn(&r->common.log,
					 "the machine's SMBIOS serial is the "
					 "command line's (-smbios), which "
					 "cloud-init reads; what it is to find "
					 "is at %s",
					 r->cloud.url);
			return 0;
		}
		error_set(&first, e.code, "%s", e.text);
	}
	return run_net_failure(&first);
}

char *run_cloud_smbios(const struct run *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("type=1,serial=ds=nocloud;s=", f);
	netdev_value_put(f, r->cloud.url);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

void run_cloud_deinit(struct run *r)
{
	free(r->cloud.user_data);
	free(r->cloud.meta_data);
}
