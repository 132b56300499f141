/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of AF_XDP and their program; see xsk.h. */
#include "os/xsk.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "os/card.h"
#include "os/memfd.h"
#include "os/packet.h"
#include "os/sock.h"

/* libxdp is not used: it attaches by netlink and pins what it attached, so
 * that a kill would leave both behind.  What is left is three calls of
 * bpf(2) and a program of five instructions. */

static int bpf_call(enum bpf_cmd cmd, union bpf_attr *a)
{
	long r = syscall(SYS_bpf, cmd, a, sizeof(*a));

	return r < 0 ? -errno : (int)r;
}

static uint64_t bpf_ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* ---- the map: queue number -> socket ---- */

static int map_make(unsigned entries)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_XSKMAP,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint32_t),
		.max_entries = entries,
	};

	return bpf_call(BPF_MAP_CREATE, &a);
}

static int map_put(int map, uint32_t index, int fd)
{
	uint32_t value = (uint32_t)fd;
	union bpf_attr a = {
		.map_fd = (uint32_t)map,
		.key = bpf_ptr(&index),
		.value = bpf_ptr(&value),
		.flags = BPF_ANY,
	};

	return bpf_call(BPF_MAP_UPDATE_ELEM, &a);
}

static int map_check(int map, const struct xsk_opts *o, struct error *e)
{
	struct bpf_map_info info = {0};
	union bpf_attr a = {.info = {
				    .bpf_fd = (uint32_t)map,
				    .info_len = sizeof(info),
				    .info = bpf_ptr(&info),
			    }};
	int r = bpf_call(BPF_OBJ_GET_INFO_BY_FD, &a);

	/* A pinned program is no map, and has another info. */
	if (r < 0 || info.type != BPF_MAP_TYPE_XSKMAP || info.key_size != 4)
		return error_set(e, EXIT_USAGE,
				 "map-path=%s is no XSKMAP", o->map_path);
	if (o->map_index > info.max_entries ||
	    o->n_queues > info.max_entries - o->map_index)
		return error_set(e, EXIT_USAGE,
				 "map-path=%s has %u entries, and %u to %u "
				 "are asked for (map-start-index=)",
				 o->map_path, info.max_entries, o->map_index,
				 o->map_index + o->n_queues - 1);
	return 0;
}

static int map_find(const struct xsk_opts *o, int *mapp, struct error *e)
{
	union bpf_attr a = {.pathname = bpf_ptr(o->map_path)};
	CLEANUP_FD int map = bpf_call(BPF_OBJ_GET, &a);
	int r;

	if (map == -ENOENT)
		return error_set(e, EXIT_NO_OBJECT,
				 "map-path=%s: there is no such map",
				 o->map_path);
	if (map < 0)
		return error_errno(e, map, "map-path=%s", o->map_path);
	r = map_check(map, o, e);
	if (r < 0)
		return r;
	*mapp = fd_steal(&map);
	return 0;
}

/* ---- the program ---- */

/* Frames of a queue with a socket go there, all others where they would. */
static int program_load(int map)
{
	const struct bpf_insn code[] = {
		/* r2 = ctx->rx_queue_index */
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct xdp_md, rx_queue_index)},
		/* r1 = map, in two halves */
		{.code = BPF_LD | BPF_IMM | BPF_DW,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{.code = 0},
		/* r3: what is to be done where the map has nothing */
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_3,
		 .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.expected_attach_type = BPF_XDP,
		.insns = bpf_ptr(code),
		.insn_cnt = array_len(code),
		.license = bpf_ptr("BSD"),
		.prog_name = "vmlan_af_xdp",
	};

	return bpf_call(BPF_PROG_LOAD, &a);
}

static int program_attach(int program, int ifindex, uint32_t flags)
{
	union bpf_attr a = {.link_create = {
				    .prog_fd = (uint32_t)program,
				    .target_ifindex = (uint32_t)ifindex,
				    .attach_type = BPF_XDP,
				    .flags = flags,
			    }};

	return bpf_call(BPF_LINK_CREATE, &a);
}

static int denied(const struct xsk_opts *o, struct error *e)
{
	return error_set(e, EXIT_PERMISSION,
			 "an XDP program on %s takes root (CAP_BPF, "
			 "CAP_NET_ADMIN, CAP_NET_RAW, outside of any user "
			 "namespace); sockets that root has made "
			 "(inhibit=on,sock-fds=) take none of it",
			 o->ifname);
}

static bool is_denied(int r)
{
	return r == -EPERM || r == -EACCES;
}

static int attach(const struct xsk_opts *o, struct xsk *x, struct error *e)
{
	CLEANUP_FD int program = -1;

	x->map = map_make(o->first_queue + o->n_queues);
	if (is_denied(x->map))
		return denied(o, e);
	if (x->map < 0)
		return error_errno(e, x->map, "XSKMAP for %s", o->ifname);
	program = program_load(x->map);
	if (is_denied(program))
		return denied(o, e);
	if (program < 0)
		return error_errno(e, program, "XDP program for %s",
				   o->ifname);
	if (o->mode != XSK_MODE_SKB)
		x->link = program_attach(program, x->ifindex,
					 XDP_FLAGS_DRV_MODE);
	/* EBUSY, EEXIST: somebody else's is there, in this mode or another. */
	if (o->mode == XSK_MODE_SKB ||
	    (o->mode == XSK_MODE_ANY && x->link < 0 && x->link != -EBUSY &&
	     x->link != -EEXIST && !is_denied(x->link))) {
		x->link = program_attach(program, x->ifindex,
					 XDP_FLAGS_SKB_MODE);
		x->is_skb = true;
	}
	if (is_denied(x->link))
		return denied(o, e);
	if (x->link == -EBUSY || x->link == -EEXIST)
		return error_set(e, EXIT_CONFLICT,
				 "%s has an XDP program already; inhibit=on "
				 "with map-path= uses that one",
				 o->ifname);
	if (x->link < 0 && o->mode == XSK_MODE_NATIVE)
		return error_errno(e, x->link,
				   "%s takes no XDP program in its driver "
				   "(mode=skb needs none)",
				   o->ifname);
	if (x->link < 0)
		return error_errno(e, x->link, "XDP program on %s", o->ifname);
	return 0;
}

/* One that is not ours. */
static int find_program(const struct xsk_opts *o, const struct rtnl_link *l,
			struct xsk *x, struct error *e)
{
	bool has_other = (o->mode == XSK_MODE_NATIVE &&
			  l->xdp == XDP_ATTACHED_SKB) ||
			 (o->mode == XSK_MODE_SKB &&
			  l->xdp != XDP_ATTACHED_SKB);

	if (l->xdp == XDP_ATTACHED_NONE || has_other)
		return error_set(e, EXIT_NO_OBJECT,
				 "no XDP program loaded on '%s', ifindex: %d%s",
				 o->ifname, x->ifindex,
				 has_other && l->xdp != XDP_ATTACHED_NONE
					 ? " (it is in the other mode=)"
					 : "");
	x->is_skb = l->xdp == XDP_ATTACHED_SKB;
	return o->map_path ? map_find(o, &x->map, e) : 0;
}

static int find(const struct xsk_opts *o, struct rtnl_link *l, struct error *e)
{
	if (rtnl_link_get(o->ifname, 0, l) == -ENODEV)
		return error_set(e, EXIT_NO_OBJECT,
				 "failed to get ifindex for '%s': there is no "
				 "such interface on this host",
				 o->ifname);
	return card_find(o->ifname, l, e);
}

int xsk_open(const struct xsk_opts *o, struct xsk *x, struct error *e)
{
	struct rtnl_link l;
	int r;

	*x = XSK_NULL;
	r = find(o, &l, e);
	if (r < 0)
		goto err;
	x->ifindex = l.index;
	r = o->inhibit ? find_program(o, &l, x, e) : attach(o, x, e);
	if (r < 0)
		goto err;
	r = packet_watch(x->ifindex, &x->watch);
	/* Who is given sockets may have no right of his own. */
	if (r < 0 && !(o->inhibit && !o->map_path && is_denied(r))) {
		if (is_denied(r))
			r = denied(o, e);
		else
			error_errno(e, r, "%s", o->ifname);
		goto err;
	}
	return 0;

err:
	error_prefix(e, "af-xdp: ");
	xsk_close(x);
	return r;
}

void xsk_close(struct xsk *x)
{
	fd_close(&x->link);
	fd_close(&x->map);
	fd_close(&x->watch);
}

/* ---- sockets ---- */

static int socket_take(int given, struct error *e)
{
	socklen_t len = sizeof(int);
	int domain = 0;

	if (getsockopt(given, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    domain != AF_XDP)
		return error_set(e, EXIT_USAGE,
				 "sock-fds: fd=%d is no AF_XDP socket", given);
	return sock_fd_take(given, SOCK_RAW, false, e);
}

static int socket_make(const struct xsk_opts *o, struct error *e)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && is_denied(-errno))
		return denied(o, e);
	if (fd < 0 && errno == EAFNOSUPPORT)
		return error_set(e, EXIT_FAILED,
				 "this kernel has no AF_XDP "
				 "(CONFIG_XDP_SOCKETS)");
	return fd < 0 ? error_errno(e, errno, "AF_XDP socket") : fd;
}

static int set_rings(int fd)
{
	static const int rings[] = {XDP_UMEM_FILL_RING,
				    XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
				    XDP_TX_RING};
	const int entries = XSK_RING;

	for (size_t i = 0; i < array_len(rings); i++) {
		if (setsockopt(fd, SOL_XDP, rings[i], &entries,
			       sizeof(entries)) < 0)
			return -errno;
	}
	return 0;
}

/* Rings and memory; queue for the message. */
static int socket_set_up(const struct xsk_opts *o, unsigned queue, int fd,
			 void *umem, struct error *e)
{
	const struct xdp_umem_reg reg = {
		.addr = bpf_ptr(umem),
		.len = XSK_UMEM_LEN,
		.chunk_size = XSK_CHUNK,
	};
	int r = 0;

	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		r = -errno;
	if (r == -EBUSY)
		return error_set(e, EXIT_CONFLICT,
				 "sock-fds: the socket for queue %u of %s is "
				 "in use already; one that is new is needed",
				 queue, o->ifname);
	if (r == -ENOBUFS)
		return error_set(e, EXIT_PERMISSION,
				 "failed to create umem for %s queue_index: "
				 "%u: more memory than may be locked "
				 "(ulimit -l): %d MiB a queue",
				 o->ifname, queue, XSK_UMEM_LEN >> 20);
	if (r < 0)
		return error_errno(e, r,
				   "failed to create umem for %s "
				   "queue_index: %u",
				   o->ifname, queue);
	r = set_rings(fd);
	if (r < 0)
		return error_errno(e, r,
				   "failed to create AF_XDP socket for %s "
				   "queue_id: %u",
				   o->ifname, queue);
	sock_set_buffers(fd); /* what the kernel holds of us while it sends */
	return 0;
}

static int sockets_fill(const struct xsk_opts *o, const struct xsk *x,
			const int *given, uint8_t *umem, struct xsk_sockets *s,
			struct error *e)
{
	for (unsigned i = 0; i < o->n_queues; i++) {
		unsigned queue = o->first_queue + i;
		uint32_t index = o->map_path ? o->map_index + i : queue;
		int fd = given ? socket_take(given[i], e) : socket_make(o, e);
		int r;

		if (fd < 0)
			return fd;
		s->fds[s->n++] = fd;
		r = socket_set_up(o, queue, fd,
				  umem + (size_t)i * XSK_UMEM_LEN, e);
		if (r < 0)
			return r;
		if (x->map >= 0)
			r = map_put(x->map, index, fd);
		if (r < 0)
			return error_errno(e, r, "XSKMAP of %s", o->ifname);
	}
	return 0;
}

int xsk_sockets_make(const struct xsk_opts *o, const struct xsk *x,
		     const int *given, struct xsk_sockets *s, struct error *e)
{
	size_t len = (size_t)o->n_queues * XSK_UMEM_LEN;
	uint8_t *umem = MAP_FAILED;
	int r;

	*s = XSK_SOCKETS_NULL;
	r = memfd_make("vmlan-umem", len, &s->umem);
	if (r == 0)
		umem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			    s->umem, 0);
	if (r < 0 || umem == MAP_FAILED) {
		r = error_errno(e, r < 0 ? r : errno, "umem for %s",
				o->ifname);
	} else {
		r = sockets_fill(o, x, given, umem, s, e);
		munmap(umem, len); /* the sockets keep the pages */
	}
	if (r < 0) {
		error_prefix(e, "af-xdp: ");
		xsk_sockets_close(s);
	}
	return r;
}

void xsk_sockets_close(struct xsk_sockets *s)
{
	fd_close(&s->umem);
	while (s->n)
		fd_close(&s->fds[--s->n]);
}

void xsk_refused(const struct xsk_opts *o, int err, struct error *e)
{
	unsigned last = o->first_queue + o->n_queues - 1;

	err = abs(err);
	if (err == EBUSY)
		error_set(e, EXIT_CONFLICT,
			  "af-xdp: a queue of %s (%u to %u) is in use by "
			  "another AF_XDP socket",
			  o->ifname, o->first_queue, last);
	else if (err == EINVAL)
		error_set(e, EXIT_NO_OBJECT,
			  "af-xdp: failed to create AF_XDP socket for %s: it "
			  "has no queues %u to %u (ethtool -l %s)",
			  o->ifname, o->first_queue, last, o->ifname);
	else
		error_errno(e, err,
			    "af-xdp: failed to create AF_XDP socket for %s "
			    "queue_id: %u",
			    o->ifname, o->first_queue);
}
