/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan top shows; see top_view.h. */
#include "cli/top_view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/units.h"

enum {
	FIXED = 62,	/* columns of a machine's numbers */
	ABOUT_MIN = 8,	/* an address takes that at least */
	WIDE = 120,	/* flows have their state */
	MIDDLE = 90,	/* and their round trip */
	ROOMY = 24,	/* rows: an empty line before each table */
	DROPS_LEAST = 3,
	LINE_MAX_LEN = 512,
};

/* ---- cells ---- */

int top_grid_init(struct top_grid *g, int rows, int columns)
{
	size_t n = (size_t)(rows > 0 ? rows : 1) *
		   (size_t)(columns > 0 ? columns : 1);
	char *text = malloc(n);
	uint8_t *attrs = calloc(n, 1);

	if (!text || !attrs) {
		free(text);
		free(attrs);
		return -ENOMEM;
	}
	memset(text, ' ', n);
	top_grid_deinit(g);
	*g = (struct top_grid){.rows = rows > 0 ? rows : 1,
			       .columns = columns > 0 ? columns : 1,
			       .text = text, .attrs = attrs};
	return 0;
}

void top_grid_deinit(struct top_grid *g)
{
	free(g->text);
	free(g->attrs);
	*g = TOP_GRID_NULL;
}

void top_grid_print(const struct top_grid *g, FILE *out)
{
	unsigned n_empty = 0;

	for (int y = 0; y < g->rows; y++) {
		const char *line = g->text + y * g->columns;
		int n = g->columns;

		while (n && line[n - 1] == ' ')
			n--;
		if (!n) {
			n_empty++;
			continue;
		}
		for (; n_empty; n_empty--)
			fputc('\n', out);
		fprintf(out, "%.*s\n", n, line);
	}
}

/* Where one writes. */
struct pen {
	struct top_grid *g;
	int x, y;
	unsigned attr;
};

/* What has no room is cut, and what is in w cells says so by its last. */
static void put_cells(struct pen *p, const char *text, int w, bool is_right)
{
	int n = (int)strlen(text), left = p->g->columns - p->x;
	int blanks = n < w ? w - n : 0;

	for (int i = 0; i < w && i < left; i++) {
		int at = is_right ? i - blanks : i;
		char c = at >= 0 && at < n ? text[at] : ' ';
		size_t cell = (size_t)(p->y * p->g->columns + p->x + i);

		if (p->y < 0 || p->y >= p->g->rows)
			break;
		p->g->text[cell] = n > w && i == w - 1 ? '~' : c;
		p->g->attrs[cell] = (uint8_t)p->attr;
	}
	p->x += w;
}

static void put(struct pen *p, int w, const char *text)
{
	put_cells(p, text, w, false);
	put_cells(p, " ", 1, false);
}

static void put_right(struct pen *p, int w, const char *text)
{
	put_cells(p, text, w, true);
	put_cells(p, " ", 1, false);
}

__attribute__((format(printf, 2, 3))) static void put_line(struct pen *p,
							   const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_cells(p, text, (int)strlen(text), false);
}

/* To the line's end in the pen's attributes; then the next one. */
static void end_line(struct pen *p)
{
	if (p->x < p->g->columns)
		put_cells(p, "", p->g->columns - p->x, false);
	p->x = 0;
	p->y++;
	p->attr = TOP_PLAIN;
}

static void put_header(struct pen *p, bool has_gap)
{
	if (has_gap)
		end_line(p);
	p->attr = TOP_BOLD | TOP_DIM;
}

/* ---- the tables ---- */

static const char *const cables[] = {
	[TOP_CABLE_UP] = "up",
	[TOP_CABLE_LOOSE] = "loose",
	[TOP_CABLE_PULLED] = "pulled",
	[TOP_CABLE_SPOILT] = "spoilt",
};

static int name_width(int columns)
{
	int w = 16 + (columns - 80) / 5;

	return w < 12 ? 12 : w > 28 ? 28 : w;
}

static void put_bits(struct pen *p, bool is_known, double bytes_per_s)
{
	char b[UNITS_LEN];

	put_right(p, 12, is_known ? units_bit_rate(bytes_per_s * 8, b) : "-");
}

static void put_per_s(struct pen *p, int w, bool is_known, double n)
{
	char b[UNITS_LEN];

	if (is_known && n > 0 && n < 9.95)
		snprintf(b, sizeof(b), "%.1f", n);
	else if (is_known)
		units_count(n, b);
	put_right(p, w, is_known ? b : "-");
}

static void draw_machine(struct pen *p, const struct top_machine *m,
			 const struct top_look *look)
{
	int w = name_width(p->g->columns);
	bool is_captured = look->is_captured && m->is_machine &&
			   look->is_captured(look->arg, m->name);
	const double *rates = m->rates;
	int left = p->g->columns - w - FIXED - 1;

	if (m->is_machine && strcmp(m->name, look->selected) == 0)
		p->attr |= TOP_REVERSE;
	if (!m->is_machine)
		p->attr |= TOP_DIM;
	if (m->cable != TOP_CABLE_UP)
		p->attr |= TOP_WARN;
	put_cells(p, is_captured ? "C " : "  ", 2, false);
	put(p, w - 2, m->name);
	put(p, 7, cables[m->cable]);
	put_bits(p, m->has_rates, rates[TOP_RX_BYTES]);
	put_per_s(p, 7, m->has_rates, rates[TOP_RX_FRAMES]);
	put_bits(p, m->has_rates, rates[TOP_TX_BYTES]);
	put_per_s(p, 7, m->has_rates, rates[TOP_TX_FRAMES]);
	put_per_s(p, 7, m->has_rates,
		  rates[TOP_RX_DROPS] + rates[TOP_TX_DROPS]);
	if (left >= ABOUT_MIN)
		put(p, left, m->about);
	end_line(p);
}

static void draw_machines(struct pen *p, const struct top_model *m,
			  const struct top_look *look, unsigned n, bool has_gap)
{
	int w = name_width(p->g->columns), at, from;

	put_header(p, has_gap);
	put(p, w, "  MACHINE");
	put(p, 7, "CABLE");
	put_right(p, 12, "FROM IT");
	put_right(p, 7, "PKT/S");
	put_right(p, 12, "TO IT");
	put_right(p, 7, "PKT/S");
	put_right(p, 7, "LOST/S");
	if (p->g->columns - w - FIXED - 1 >= ABOUT_MIN)
		put(p, 8, "ADDRESS");
	end_line(p);
	at = top_model_place(m, look->selected);
	from = at >= (int)n ? at - (int)n + 1 : 0;
	for (unsigned i = 0; i < n; i++)
		draw_machine(p, &m->machines[(unsigned)from + i], look);
}

/* "example.org:443" of the peer's name and address */
static void put_peer(struct pen *p, int w, const struct top_flow *f)
{
	const char *end = strchr(f->peer, ']');
	const char *port = strrchr(end ? end : f->peer, ':');
	char text[TOP_TEXT_LEN + TOP_NAME_LEN];

	if (!end && port != strchr(f->peer, ':'))
		port = NULL; /* an address of IPv6 alone */
	snprintf(text, sizeof(text), "%s%s", f->name[0] ? f->name : f->peer,
		 f->name[0] && port ? port : "");
	put(p, w, text);
}

/* What a flow's columns are. */
struct flow_columns {
	int machine, guest, peer;
	bool has_state, has_rtt;
};

static struct flow_columns flow_columns(int columns)
{
	struct flow_columns c = {
		.machine = columns >= MIDDLE ? 12 : 8,
		.guest = columns >= WIDE ? 24 : 17,
		.has_state = columns >= WIDE,
		.has_rtt = columns >= MIDDLE,
	};
	int rest = columns - 3 - c.machine - 5 - c.guest - 4 - 26 - 1 -
		   (c.has_state ? 13 : 0) - (c.has_rtt ? 9 : 0);

	c.peer = rest < 10 ? 10 : rest > 40 ? 40 : rest;
	return c;
}

static void draw_flow(struct pen *p, const struct top_flow *f)
{
	struct flow_columns c = flow_columns(p->g->columns);
	char b[UNITS_LEN];

	put_cells(p, "  ", 2, false);
	put(p, c.machine, f->machine);
	put(p, 4, f->proto);
	put(p, c.guest, f->guest);
	put(p, 2, f->is_in ? "<-" : "->");
	put_peer(p, c.peer, f);
	put_bits(p, f->has_rates, f->sent_rate);
	put_bits(p, f->has_rates, f->received_rate);
	if (c.has_rtt)
		put_right(p, 8, f->rtt_us >= 0
					? units_us((uint64_t)f->rtt_us, b)
					: "-");
	if (c.has_state)
		put(p, 12, f->state);
	end_line(p);
}

static void draw_flows(struct pen *p, const struct top_model *m, unsigned n,
		       bool has_gap)
{
	struct flow_columns c = flow_columns(p->g->columns);

	put_header(p, has_gap);
	put_cells(p, "  ", 2, false);
	put(p, c.machine, "TALKER");
	put(p, 4, "");
	put(p, c.guest, "GUEST");
	put(p, 2, "");
	put(p, c.peer, "PEER");
	put_right(p, 12, "SENT");
	put_right(p, 12, "RECEIVED");
	if (c.has_rtt)
		put_right(p, 8, "RTT");
	if (c.has_state)
		put(p, 12, "STATE");
	end_line(p);
	for (unsigned i = 0; i < n; i++)
		draw_flow(p, &m->flows[i]);
	p->attr = TOP_DIM;
	if (!m->has_flows && m->has_sample) {
		put_line(p, "  of flows nothing is told");
		end_line(p);
	} else if (n < m->n_shown_flows || m->has_more) {
		put_line(p, "  %u%s more", m->n_shown_flows - n,
			 m->has_more ? " and" : "");
		end_line(p);
	}
	p->attr = TOP_PLAIN;
}

static void draw_drops(struct pen *p, const struct top_model *m, unsigned n,
		       bool has_gap)
{
	char b[UNITS_LEN];

	put_header(p, has_gap);
	put_right(p, 9, "LOST/S");
	put_right(p, 9, "IN ALL");
	put(p, 12, "WHY");
	end_line(p);
	for (unsigned i = 0; i < n; i++) {
		const struct top_drop *d = &m->drops[i];

		p->attr = d->rate > 0 ? TOP_WARN : TOP_PLAIN;
		put_per_s(p, 9, d->rate >= 0, d->rate);
		put_right(p, 9, units_count((double)d->count, b));
		put_line(p, "%s", d->text[0] ? d->text : d->name);
		end_line(p);
	}
	if (!m->n_drops) {
		p->attr = TOP_DIM;
		put_line(p, "  nothing was lost");
		end_line(p);
	}
}

/* ---- all of it ---- */

static void draw_title(struct pen *p, const struct top_model *m,
		       const struct top_look *look)
{
	char a[UNITS_LEN];

	p->attr = TOP_BOLD;
	put_line(p, "network %s", look->network);
	p->attr = TOP_PLAIN;
	if (m->has_sample)
		put_line(p, "  %s, %s, %u machine%s", m->mode,
			 m->is_kept ? "up" : "used", m->n_real,
			 m->n_real == 1 ? "" : "s");
	if (m->has_sample && m->uptime_ms >= 0)
		put_line(p, ", for %s",
			 units_age((uint64_t)m->uptime_ms, a));
	put_line(p, "  by %s", top_sort_name(m->sort));
	if (m->filter[0])
		put_line(p, "  only '%s'", m->filter);
	end_line(p);
}

static void draw_sums(struct pen *p, const struct top_model *m,
		      const struct top_look *look)
{
	char bits[UNITS_LEN], n[UNITS_LEN];

	if (look->trouble[0]) {
		p->attr = TOP_WARN | TOP_BOLD;
		put_line(p, "%s", look->trouble);
	} else if (m->has_sample && !m->is_serving) {
		p->attr = TOP_WARN | TOP_BOLD;
		put_line(p, "its engine starts again");
	} else if (m->has_sample) {
		units_bit_rate(top_model_sum(m, TOP_RX_BYTES) * 8, bits);
		units_count(top_model_sum(m, TOP_RX_FRAMES), n);
		put_line(p, "from machines %s, %s pkt/s", bits, n);
		units_bit_rate(top_model_sum(m, TOP_TX_BYTES) * 8, bits);
		units_count(top_model_sum(m, TOP_TX_FRAMES), n);
		put_line(p, "; to machines %s, %s pkt/s", bits, n);
	}
	end_line(p);
}

static void draw_help(struct pen *p)
{
	static const char *const lines[] = {
		"up down    select a machine",
		"s > <      sort by the next, the one before: traffic, from",
		"           it, to it, packets, lost, name",
		"/          show only machines and flows that have a text; "
		"Escape: all",
		"c          capture the selected machine into a file; again: "
		"stop",
		"l          pull the selected machine's cable, or plug it in",
		"space      ask now",
		"?          this",
		"q          end",
		"",
		"FROM IT and TO IT: bits per second from and to the machine.",
		"LOST/S: frames of its port that were lost, per second.",
	};

	end_line(p);
	for (size_t i = 0; i < array_len(lines); i++) {
		put_line(p, "  %s", lines[i]);
		end_line(p);
	}
}

static void draw_status(struct pen *p, const struct top_look *look)
{
	p->x = 0;
	p->y = p->g->rows - 1;
	p->attr = look->is_asking || look->status[0] ? TOP_BOLD : TOP_REVERSE;
	if (look->status[0])
		put_line(p, "%s", look->status);
	else
		put_line(p, "q quit  ? help  up/down select  s < > sort  "
			    "/ filter  c capture  l cable");
	end_line(p);
}

/* How the rows are shared out. */
struct shares {
	unsigned machines, flows, drops;
};

static unsigned at_most(unsigned n, int room)
{
	if (room <= 0)
		return 0;
	return n < (unsigned)room ? n : (unsigned)room;
}

static struct shares share(const struct top_model *m, int room, bool is_text)
{
	int least = room / 5 > DROPS_LEAST ? room / 5 : DROPS_LEAST;
	struct shares s;

	s.drops = at_most(m->n_drops, least);
	s.machines = at_most(m->n_shown_machines, room / 2);
	s.flows = at_most(m->n_shown_flows,
			  room - (int)s.drops - (int)s.machines);
	s.machines = at_most(m->n_shown_machines,
			     room - (int)s.drops - (int)s.flows);
	s.drops = at_most(m->n_drops,
			  room - (int)s.machines - (int)s.flows);
	if (is_text) { /* which is as long as it takes */
		s.machines = m->n_shown_machines;
		s.drops = m->n_drops;
		s.flows = at_most(m->n_shown_flows,
				  room - (int)s.machines - (int)s.drops);
	}
	return s;
}

int top_view_rows(const struct top_model *m, unsigned n_flows)
{
	unsigned flows = at_most(m->n_shown_flows, (int)n_flows);

	/* Two lines, three tables with a gap, head and one line more, and what
	 * is left for the keys. */
	return (int)(2 + 3 * 3 + m->n_shown_machines + flows + m->n_drops + 1);
}

void top_view_draw(const struct top_model *m, const struct top_look *look,
		   struct top_grid *g)
{
	struct pen p = {.g = g};
	bool has_gap = g->rows >= ROOMY || look->has_no_keys;
	struct shares s = share(m, g->rows - 3 - 4 - (has_gap ? 3 : 0),
				look->has_no_keys);

	draw_title(&p, m, look);
	draw_sums(&p, m, look);
	if (look->has_help) {
		draw_help(&p);
	} else if (m->has_sample) {
		draw_machines(&p, m, look, s.machines, has_gap);
		draw_flows(&p, m, s.flows, has_gap);
		draw_drops(&p, m, s.drops, has_gap);
	}
	if (!look->has_no_keys)
		draw_status(&p, look);
}
