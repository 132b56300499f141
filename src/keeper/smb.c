/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smb= of `user`: samba's smbd, started for each connection of a guest in a
 * cell (os/cell.h) that has nothing of the host but the folder.  There it has
 * one share and one user, who is the owner of the network outside; if that is
 * root, the owner of the folder.  All of its databases are in the cell's
 * memory, so that guests see each other's locks and nothing is left behind.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "keeper/plan.h"
#include "os/cell.h"
#include "os/sandbox.h"

#define CONF "/etc/smb.conf"

enum { FIRST_MS = 5000 };

static const char conf[] =
	"[global]\n"
	"netbios name = VMLAN\n"
	"server string = vmlan\n"
	"server role = standalone server\n"
	"security = user\n"
	"map to guest = Bad User\n"
	"guest account = nobody\n"
	"restrict anonymous = 0\n"
	"private dir = " CELL_STATE "\n"
	"pid directory = " CELL_STATE "\n"
	"lock directory = " CELL_STATE "\n"
	"state directory = " CELL_STATE "\n"
	"cache directory = " CELL_STATE "\n"
	"ncalrpc dir = " CELL_STATE "/ncalrpc\n"
	"log file = " CELL_STATE "/log\n"
	"max log size = 1000\n"
	"log level = 0\n"
	"enable core files = no\n"
	/* Nobody calls it but by its connection, and it calls nobody. */
	"interfaces = lo\n"
	"bind interfaces only = yes\n"
	"disable netbios = yes\n"
	"name resolve order = host\n"
	"dns proxy = no\n"
	"multicast dns register = no\n"
	"server multi channel support = no\n"
	/* The process that tells of changes is that of the smbd that came
	 * first: with its end who comes next is refused now and then, as out
	 * of memory. */
	"change notify = no\n"
	/* Nothing but the one share. */
	"load printers = no\n"
	"printing = bsd\n"
	"printcap name = /dev/null\n"
	"disable spoolss = yes\n"
	"usershare max shares = 0\n"
	"host msdfs = no\n"
	"[qemu]\n"
	"path = /share\n"
	"guest ok = yes\n"
	"guest only = yes\n"
	"force user = vmlan\n"
	"follow symlinks = yes\n"
	"wide links = no\n"
	"map archive = no\n"
	"kernel share modes = no\n"
	"browseable = yes\n";

static const char passwd[] = "vmlan:x:1000:1000::/:/bin/false\n"
			     "nobody:x:65534:65534::/:/bin/false\n";
static const char group[] = "vmlan:x:1000:\nnogroup:x:65534:\n";
static const char nss[] = "passwd: files\ngroup: files\nhosts: files\n";

_Static_assert((int)CELL_ID == 1000, "as in passwd and group");

/* In /usr, which is all that a cell has of programs; NULL having said so. */
static const char *find_smbd(struct error *e)
{
	static const char *const paths[] = {"/usr/sbin/smbd",
					    "/usr/local/sbin/smbd",
					    "/usr/local/samba/sbin/smbd"};

	for (size_t i = 0; i < array_len(paths); i++) {
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	}
	error_set(e, EXIT_FAILED,
		  "there is no smbd on this host, install the package samba");
	return NULL;
}

static int look_at(const char *dir, struct stat *st, struct error *e)
{
	if (stat(dir, st) < 0)
		return errno == ENOENT
			       ? error_set(e, EXIT_NO_OBJECT,
					   "user: smb=%s: there is no such "
					   "folder", dir)
			       : error_errno(e, errno, "user: smb=%s", dir);
	if (!S_ISDIR(st->st_mode))
		return error_set(e, EXIT_USAGE,
				 "user: smb=%s: this is no folder", dir);
	if (access(dir, R_OK | X_OK) < 0)
		return error_errno(e, errno, "user: smb=%s", dir);
	return 0;
}

static int open_cell(struct plan_netdev *n, const char *dir, struct error *e)
{
	const bool is_readonly = spec_bool(n->spec, "smb-readonly");
	const char *writes = is_readonly ? "read only = yes\n"
					 : "read only = no\n";
	char text[sizeof(conf) + 32];
	struct stat st; /* whose it is: the cell is to have the same */
	const struct cell_file files[] = {
		{CONF, text},
		{"/etc/passwd", passwd},
		{"/etc/group", group},
		{"/etc/nsswitch.conf", nss},
		{NULL, NULL},
	};
	struct cell_config c = {
		.dir = dir,
		.is_readonly = is_readonly,
		.uid = geteuid(),
		.gid = getegid(),
		.seen = &st,
		.files = files,
	};
	int r = look_at(dir, &st, e);

	if (r < 0)
		return r;
	if (c.uid == 0) {
		c.uid = st.st_uid;
		c.gid = st.st_gid;
	}
	snprintf(text, sizeof(text), "%s%s", conf, writes);
	r = cell_new(&c, &n->smb, e);
	if (r < 0)
		error_prefix(e, "user: smb=%s: ", dir);
	return r;
}

static int start_smbd(struct plan_netdev *n, unsigned long n_files,
		      pid_t *pidp, struct error *e)
{
	const char *smbd = find_smbd(e);
	char *argv[] = {(char *)smbd, (char *)"-s", (char *)CONF,
			(char *)"-l", (char *)CELL_STATE, NULL};

	return smbd ? cell_start(n->smb, argv, n_files, pidp, e) : -1;
}

/* The first smbd makes the databases and the identity that is in them, and a
 * client may well have two begin at once: so one begins alone, and ends as
 * nobody speaks to it. */
static int open_served(struct plan_netdev *n, struct error *e)
{
	const char *dir = spec_str(n->spec, "smb");
	pid_t pid;
	int fd;

	if (open_cell(n, dir, e) < 0)
		return -1;
	fd = start_smbd(n, 0, &pid, e);
	if (fd < 0) {
		error_prefix(e, "user: smb=%s: ", dir);
		return -1;
	}
	fd_close(&fd);
	(void)sandbox_wait(pid, FIRST_MS); /* else it ends later */
	return 0;
}

int smb_open(struct plan_netdev *n, struct error *e)
{
	if (find_smbd(e))
		return open_served(n, e);
	error_prefix(e, "user: smb=%s: ", spec_str(n->spec, "smb"));
	return -1;
}

int smb_start(struct plan_netdev *n, unsigned long n_files, pid_t *pidp,
	      struct error *e)
{
	/* Who was short of memory took it. */
	if (!n->smb || !cell_is_alive(n->smb)) {
		n->smb = cell_free(n->smb);
		if (open_served(n, e) < 0)
			return -1;
	}
	return start_smbd(n, n_files, pidp, e);
}
