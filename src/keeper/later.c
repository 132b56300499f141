/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers that come later than their requests; see later.h. */
#include "keeper/later.h"

void later_over(struct later *l)
{
	struct MHD_Connection *conn = l->conn;
	struct http_loop *h = l->http;

	l->is_over = true;
	if (!conn)
		return;
	l->conn = NULL;
	h->mhd.resume_connection(conn);
	http_loop_turn(h);
}

enum MHD_Result later_wait(struct later *l, struct MHD_Connection *conn,
			   struct http_loop *h)
{
	l->conn = conn;
	l->http = h;
	h->mhd.suspend_connection(conn);
	return MHD_YES;
}

void later_drop(struct later *l)
{
	struct MHD_Connection *conn = l->conn;

	l->is_dropped = true;
	l->conn = NULL;
	if (conn)
		l->http->mhd.resume_connection(conn);
}

void later_answer(struct later *l, const struct request *r, struct answer *a)
{
	l->answer(l, r, a);
}

void later_free(struct later *l)
{
	if (l)
		l->free(l);
}
