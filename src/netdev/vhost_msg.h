/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of vhost-user, front end to back end (QEMU's
 * docs/interop/vhost-user.rst), as far as a network device needs them: host
 * byte order, packed, descriptors beside the header.
 */
#ifndef NETDEV_VHOST_MSG_H
#define NETDEV_VHOST_MSG_H

#include <stdint.h>

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_LOG_BASE = 6,
	VHOST_SET_LOG_FD = 7,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SEND_RARP = 19,
	VHOST_NET_SET_MTU = 20,
	VHOST_RESET_DEVICE = 34,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_SET_STATUS = 39,
	VHOST_GET_STATUS = 40,
	VHOST_REQUESTS = 41,
};

enum {
	VHOST_VERSION = 1,
	VHOST_VERSION_MASK = 3,
	VHOST_F_REPLY = 1 << 2,
	VHOST_F_NEED_REPLY = 1 << 3,
	VHOST_HDR_LEN = 12,
	VHOST_FDS_MAX = 8,
	VHOST_TABLE_MAX = 8,	  /* regions of SET_MEM_TABLE */
	VHOST_VRING_NOFD = 1 << 8, /* with KICK, CALL, ERR */
	VHOST_VRING_INDEX = 0xff,
	VHOST_VRING_F_LOG = 1,
};

/* Protocol features (their bit numbers). */
enum {
	VHOST_PF_MQ = 0,
	VHOST_PF_LOG_SHMFD = 1,
	VHOST_PF_RARP = 2,
	VHOST_PF_REPLY_ACK = 3,
	VHOST_PF_MTU = 4,
	VHOST_PF_RESET_DEVICE = 13,
	VHOST_PF_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PF_STATUS = 16,
};

/* Device features (their bit numbers; VIRTIO 1.3, 5.1.3 and 6). */
enum {
	VIRTIO_NET_CSUM = 0,
	VIRTIO_NET_GUEST_CSUM = 1,
	VIRTIO_NET_MTU = 3,
	VIRTIO_NET_GUEST_TSO4 = 7,
	VIRTIO_NET_GUEST_TSO6 = 8,
	VIRTIO_NET_GUEST_ECN = 9,
	VIRTIO_NET_HOST_TSO4 = 11,
	VIRTIO_NET_HOST_TSO6 = 12,
	VIRTIO_NET_HOST_ECN = 13,
	VIRTIO_NET_HOST_UFO = 14,
	VIRTIO_NET_MRG_RXBUF = 15,
	VIRTIO_NET_GUEST_ANNOUNCE = 21,
	VIRTIO_NET_MQ = 22,
	VHOST_LOG_ALL = 26,
	VIRTIO_ANY_LAYOUT = 27,
	VIRTIO_INDIRECT_DESC = 28,
	VIRTIO_EVENT_IDX = 29,
	VHOST_PROTOCOL_FEATURES = 30,
	VIRTIO_VERSION_1 = 32,
	VIRTIO_NET_GUEST_USO4 = 54,
	VIRTIO_NET_GUEST_USO6 = 55,
	VIRTIO_NET_HOST_USO = 56,
};

#define VHOST_BIT(n) (UINT64_C(1) << (n))

struct vhost_hdr {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};

struct vhost_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vhost_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc, used, avail; /* the front end's addresses */
	uint64_t log;
};

struct vhost_region {
	uint64_t gpa, size, uva, offset;
};

struct vhost_mem_table {
	uint32_t n;
	uint32_t padding;
	struct vhost_region region[VHOST_TABLE_MAX];
};

struct vhost_one_region {
	uint64_t padding;
	struct vhost_region region;
};

struct vhost_log {
	uint64_t size, offset;
};

union vhost_payload {
	uint64_t u64;
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_mem_table table;
	struct vhost_one_region one;
	struct vhost_log log;
};

_Static_assert(sizeof(struct vhost_hdr) == VHOST_HDR_LEN, "as on the wire");
_Static_assert(sizeof(struct vhost_vring_addr) == 40, "as on the wire");
_Static_assert(sizeof(struct vhost_one_region) == 40, "as on the wire");

#endif
