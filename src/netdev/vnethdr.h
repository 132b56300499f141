/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The 12 bytes that a tap with IFF_VNET_HDR puts in front of a frame
 * (virtio_net_hdr_mrg_rxbuf, VIRTIO 1.3 5.1.6; a tap uses the machine's own
 * byte order), from and to a frame's offload request.  No state, no system
 * call; called by tap.c on the lan's worker.
 */
#ifndef NETDEV_VNETHDR_H
#define NETDEV_VNETHDR_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/frame.h"

enum { VNETHDR_LEN = 12 };

/* Fills f->off from the header at h; f's bytes are there already.  hdr_len is
 * found in the frame's own headers: the field is only a hint.  False when the
 * request is none we know or does not fit the frame. */
bool vnethdr_parse(const uint8_t h[static VNETHDR_LEN], struct frame *f);
/* Writes the header that asks for off. */
void vnethdr_emit(const struct frame_offload *off,
		  uint8_t h[static VNETHDR_LEN]);

#endif
