/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of the control connection: begins a run, and asks what
 * the server has seen of it.  The lines are described in load_run.c.
 */
#include "bench/load.h"

#include <inttypes.h>
#include <string.h>

static void read_line(struct control *c, char *line, size_t room)
{
	if (!fgets(line, (int)room, c->in))
		die("control connection: %s", feof(c->in) ?
		    "the server has gone" : "the server does not answer");
	if (!strncmp(line, "no ", 3)) {
		line[strcspn(line, "\n")] = 0;
		die("the server says no: %s", line + 3);
	}
}

void control_open(struct control *c, const struct target *t,
		  const char *words)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "run %s\n", words);

	c->fd = target_tcp(t, 0);
	c->in = fdopen(c->fd, "r");
	if (!c->in)
		die("no memory");
	write_all(c->fd, line, (size_t)n, "control connection");
	read_line(c, line, sizeof(line));
	if (sscanf(line, "ok %u", &c->run) != 1)
		die("port %u is not bench-load's", t->port);
}

void control_close(struct control *c)
{
	fclose(c->in);
}

void control_report(struct control *c, struct run_report *r)
{
	char line[300];
	int done;

	*r = (struct run_report){0};
	write_all(c->fd, "report\n", 7, "control connection");
	for (;;) {
		struct flow_report *f = &r->flow[r->n_flows];

		read_line(c, line, sizeof(line));
		if (!strcmp(line, "end\n"))
			return;
		if (sscanf(line, "udp %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %" SCNu64 " %" SCNd64 " %d", &r->sent,
			   &r->received, &r->reordered, &r->drops,
			   &r->span_ns, &done) == 6)
			r->done = done;
		else if (sscanf(line, "host %" SCNd64 " %" SCNd64 " %" SCNd64,
				&r->net.timeouts, &r->net.out_of_order,
				&r->cpu_ns) == 3)
			continue;
		else if (r->n_flows < FLOWS_MAX &&
			 sscanf(line, "flow %" SCNu64 " %" SCNu64 " %" SCNd64
				" %u %11s", &f->bytes, &f->window,
				&f->stall_ns, &f->retrans, f->state) == 5)
			r->n_flows++;
		else
			die("the server's report is not understood: %s", line);
	}
}
