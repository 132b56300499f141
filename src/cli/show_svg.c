/* SPDX-License-Identifier: BSD-3-Clause */
/* A network as a picture; see show_svg.h.  What is in it is said by the boxes
 * that are filled here, where it is by picture.c. */
#include "cli/show_svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/forward.h"
#include "cli/picture.h"
#include "cli/svg.h"

enum {
	ARROWS_MAX = 40, /* forwards that are drawn; of the rest the number */
	ABOVE_MAX = 3,	 /* netdevs there; the others are below */
	ABOUT_CELLS = 100,
	BASELINE = 13,	 /* of a line's text, below the line's upper end */
};

/* ---- what is said ---- */

/* "user" of "user,net=10.0.2.0/24" */
static bool is_kind(const char *netdev, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(netdev, kind, n) == 0 &&
	       (netdev[n] == ',' || !netdev[n]);
}

static bool is_gateway(const char *netdev)
{
	return is_kind(netdev, "user") || is_kind(netdev, "router") ||
	       is_kind(netdev, "passt");
}

static bool say_subnets(struct picture_box *b, const json_t *network)
{
	bool ok = true;
	size_t i;
	json_t *s;

	json_array_foreach(json_object_get(network, "subnets"), i, s) {
		const char *gateway = ctl_str(s, "gateway");
		const char *dns = ctl_str(s, "dns");

		ok = ok && picture_say(b, PICTURE_TEXT, "%s",
				       ctl_str(s, "net"));
		if (*gateway)
			ok = ok && picture_say(b, PICTURE_DIM, "  gateway %s",
					       gateway);
		if (*dns)
			ok = ok && picture_say(b, PICTURE_DIM,
					       "  name server %s", dns);
	}
	return ok;
}

/* The text of a forward, in two: the host's side, and behind it the guest's. */
static char *cut_forward(char *text)
{
	static const char arrow[] = " -> ";
	char *at = NULL;

	for (char *p = text; (p = strstr(p, arrow)); p++)
		at = p;
	if (!at)
		return text + strlen(text);
	*at = '\0';
	return at + strlen(arrow);
}

/* Host and gateway: each forward is a line of both. */
static bool say_forwards(struct picture *p, unsigned host, unsigned gateway,
			 const json_t *list)
{
	json_t *pairs = forward_pairs(list);
	char text[FORWARD_TEXT_LEN];
	unsigned n_more = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);
		const char *machine = ctl_str(f, "machine");
		char *guest;

		if (!forward_text(f, pairs, text))
			continue;
		if (p->n_arrows == ARROWS_MAX) {
			n_more++;
			continue;
		}
		guest = cut_forward(text);
		ok = picture_say(&p->boxes[host], PICTURE_TEXT, "%s", text) &&
		     picture_say(&p->boxes[gateway], PICTURE_TEXT, "%s%s%s",
				 machine, *machine ? " " : "", guest);
		p->n_arrows++;
	}
	json_decref(pairs);
	if (ok && n_more)
		ok = picture_say(&p->boxes[host], PICTURE_DIM,
				 "and %u more forwards", n_more) &&
		     picture_say(&p->boxes[gateway], PICTURE_TEXT, "%s", "");
	return ok;
}

static bool begins(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

/* The netdev's words, in lines; of a gateway those that its subnets do not
 * say. */
static bool say_spec(struct picture_box *b, const char *spec, bool has_subnets)
{
	bool is_kind = true, ok = true;

	while (ok && *spec) {
		int n = (int)strcspn(spec, ",");
		bool is_said = is_kind || begins(spec, "net=") ||
			       begins(spec, "ipv6-net=");

		if (!has_subnets || !is_said)
			ok = picture_say(b, PICTURE_DIM, "%.*s", n, spec);
		is_kind = false;
		spec += n + (spec[n] == ',');
	}
	return ok;
}

/* Where the tunnel of that kind leads, if it is the only one. */
static bool say_tunnels(struct picture *p, const json_t *network)
{
	bool ok = true;
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(network, "tunnels"), i, t) {
		struct picture_box *b =
			picture_add(p, PICTURE_BELOW, PICTURE_UPLINK);
		int mtu = ctl_int(t, "mtu");

		if (!b)
			return false;
		b->cable = mtu ? PICTURE_CABLE_GOOD : PICTURE_CABLE_LOOSE;
		ok = ok &&
		     picture_say(b, PICTURE_NAME, "%s", ctl_str(t, "name")) &&
		     picture_say(b, PICTURE_TEXT, "tunnel %s",
				 ctl_str(t, "about"));
		if (mtu)
			ok = ok && picture_say(b, PICTURE_DIM,
					       "packets of %d bytes", mtu);
		else
			ok = ok &&
			     picture_say(b, PICTURE_WARN, "no way there");
	}
	return ok;
}

/* "bridge", as a person calls it. */
static const char *title_of(const char *netdev)
{
	static const struct {
		const char *kind, *title;
	} titles[] = {
		{"user", "gateway"},
		{"passt", "gateway"},
		{"router", "gateway of the host's kernel"},
		{"bridge", "bridge of the host"},
		{"macvtap", "beside the host, on its card"},
		{"packet", "beside the host, on its card"},
		{"hostif", "the host's interface"},
		{"tap", "interface of the host"},
		{"hubport", "hub"},
		{"vde", "VDE switch"},
	};

	for (size_t i = 0; i < array_len(titles); i++) {
		if (is_kind(netdev, titles[i].kind))
			return titles[i].title;
	}
	return NULL;
}

static bool is_tunnel(const char *netdev)
{
	return is_kind(netdev, "vxlan") || is_kind(netdev, "l2tpv3");
}

/* One netdev of the network's own. */
static bool say_netdev(struct picture *p, const char *netdev, unsigned *n_above,
		       const json_t *network)
{
	bool is_above = *n_above < ABOVE_MAX && !is_kind(netdev, "hubport");
	bool is_way = is_gateway(netdev);
	const json_t *forwards = json_object_get(network, "forwards");
	struct picture_box *b = picture_add(
		p, is_above ? PICTURE_ABOVE : PICTURE_BELOW,
		is_way ? PICTURE_GATEWAY : PICTURE_UPLINK);
	const char *title = title_of(netdev);
	unsigned at = p->n_boxes - 1, host;
	bool is_first = is_way && is_above && !*n_above;
	bool ok;

	if (!b)
		return false;
	*n_above += is_above;
	ok = title ? picture_say(b, PICTURE_NAME, "%s", title)
		   : picture_say(b, PICTURE_NAME, "%.*s",
				 (int)strcspn(netdev, ","), netdev);
	if (ok && is_first && json_array_size(forwards)) {
		b = picture_add(p, PICTURE_HOST, PICTURE_THE_HOST);
		host = p->n_boxes - 1;
		ok = b && picture_say(b, PICTURE_NAME, "host") &&
		     say_forwards(p, host, at, forwards);
	}
	b = &p->boxes[at];
	if (ok && p->n_arrows && is_first)
		ok = picture_say(b, PICTURE_TEXT, "%s", "");
	if (ok && is_first)
		ok = say_subnets(b, network);
	return ok && say_spec(b, netdev, is_first);
}

/* Gateways first: forwards lead to the first of those above. */
static bool say_netdevs(struct picture *p, const json_t *network)
{
	const json_t *list = json_object_get(network, "netdevs");
	unsigned n_above = 0;
	bool ok = true;
	size_t i;
	json_t *v;

	for (int pass = 0; pass < 2; pass++) {
		json_array_foreach(list, i, v) {
			const char *netdev = json_string_value(v);

			if (!netdev || is_gateway(netdev) != (pass == 0) ||
			    is_tunnel(netdev))
				continue;
			ok = ok && say_netdev(p, netdev, &n_above, network);
		}
	}
	return ok;
}

/* "to it: delay=20ms loss=1%" */
static bool say_way(struct picture_box *b, const char *label, json_t *way)
{
	bool ok = true;
	const char *key;
	json_t *v;

	json_object_foreach(way, key, v) {
		const char *text = json_string_value(v);

		if (text)
			ok = ok && picture_say(b, PICTURE_WARN, "%s %s %s",
					       label, key, text);
	}
	return ok;
}

static bool say_cable(struct picture_box *b, const json_t *m)
{
	const json_t *cable = json_object_get(m, "cable");

	if (!ctl_bool(m, "connected"))
		b->cable = PICTURE_CABLE_LOOSE;
	if (!cable)
		return ctl_bool(m, "connected") ||
		       picture_say(b, PICTURE_WARN, "not connected");
	b->cable = PICTURE_CABLE_SPOILT;
	if (!ctl_bool(cable, "up")) {
		b->cable = PICTURE_CABLE_PULLED;
		return picture_say(b, PICTURE_WARN, "the cable is pulled");
	}
	return say_way(b, "to it:", json_object_get(cable, "to")) &&
	       say_way(b, "from it:", json_object_get(cable, "from"));
}

static bool say_captures(struct picture_box *b, const json_t *captures,
			 const char *machine)
{
	bool ok = true;
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(captures, "captures"), i, c) {
		if (strcmp(ctl_str(c, "machine"), machine) != 0)
			continue;
		if (ctl_bool(c, "kept"))
			ok = ok && picture_say(b, PICTURE_TEXT,
					       "its last frames are kept");
		else
			ok = ok && picture_say(b, PICTURE_TEXT,
					       "is captured (%d)",
					       ctl_int(c, "number"));
	}
	return ok;
}

static bool say_machine(struct picture *p, const json_t *m,
			const json_t *captures)
{
	struct picture_box *b =
		picture_add(p, PICTURE_BELOW, PICTURE_MACHINE);
	const char *card = ctl_str(m, "mac");
	int queues = ctl_int(m, "queues");
	bool ok;
	size_t i;
	json_t *v;

	if (!b)
		return false;
	ok = picture_say(b, PICTURE_NAME, "%s", ctl_str(m, "name"));
	json_array_foreach(json_object_get(m, "addresses"), i, v) {
		const char *text = json_string_value(v);

		ok = ok && picture_say(b, PICTURE_TEXT, "%s", text ? text : "");
	}
	if (*card)
		ok = ok && picture_say(b, PICTURE_DIM, "%s", card);
	if (queues > 1)
		ok = ok && picture_say(b, PICTURE_DIM, "%s of %d queues",
				       ctl_str(m, "link"), queues);
	else
		ok = ok &&
		     picture_say(b, PICTURE_DIM, "%s", ctl_str(m, "link"));
	return ok && say_cable(b, m) &&
	       say_captures(b, captures, ctl_str(m, "name"));
}

static bool say_plug(struct picture *p, const json_t *plug)
{
	struct picture_box *b =
		picture_add(p, PICTURE_BELOW, PICTURE_MACHINE);

	return b && picture_say(b, PICTURE_NAME, "%s", ctl_str(plug, "name")) &&
	       picture_say(b, PICTURE_TEXT, "%s", ctl_str(plug, "about")) &&
	       picture_say(b, PICTURE_DIM, "port %d, user %d",
			   ctl_int(plug, "port"), ctl_int(plug, "user"));
}

static bool say_all(struct picture *p, const json_t *network,
		    const json_t *captures)
{
	bool ok = say_netdevs(p, network) && say_tunnels(p, network);
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(network, "machines"), i, v)
		ok = ok && say_machine(p, v, captures);
	json_array_foreach(json_object_get(network, "plugs"), i, v)
		ok = ok && say_plug(p, v);
	return ok;
}

/* ---- how it is drawn ---- */

static const char head[] =
	"<style>\n"
	"text{font:12px ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,"
	"monospace;fill:#1f2328}\n"
	".title{font-size:18px;font-weight:bold}.name{font-weight:bold}\n"
	".dim{fill:#57606a}.warn{fill:#b42318}.lan{fill:#fff}\n"
	".machine{fill:#f6f8fa;stroke:#57606a}.gateway{fill:#ddf4ff;"
	"stroke:#0969da}\n"
	".uplink{fill:#fff8c5;stroke:#9a6700}.host{fill:#dafbe1;"
	"stroke:#1a7f37}\n"
	".good{stroke:#57606a;stroke-width:2}.arrow{stroke:#1a7f37;"
	"stroke-width:1.5}\n"
	".loose{stroke:#8c959f;stroke-width:2;stroke-dasharray:1 4}\n"
	".spoilt{stroke:#bc4c00;stroke-width:2;stroke-dasharray:7 4}\n"
	".pulled{stroke:#cf222e;stroke-width:2;stroke-dasharray:3 6}\n"
	"</style>\n"
	"<marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
	"markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
	"<path d=\"M0 0 8 4 0 8z\" fill=\"#1a7f37\"/></marker>\n";

static const char *const kinds[] = {
	[PICTURE_MACHINE] = "machine",
	[PICTURE_GATEWAY] = "gateway",
	[PICTURE_UPLINK] = "uplink",
	[PICTURE_THE_HOST] = "host",
};

static const char *const cables[] = {
	[PICTURE_CABLE_GOOD] = "good",
	[PICTURE_CABLE_LOOSE] = "loose",
	[PICTURE_CABLE_SPOILT] = "spoilt",
	[PICTURE_CABLE_PULLED] = "pulled",
};

static const char *const styles[] = {
	[PICTURE_NAME] = "name",
	[PICTURE_TEXT] = "text",
	[PICTURE_DIM] = "dim",
	[PICTURE_WARN] = "warn",
};

static void put_text(FILE *out, int x, int y, const char *class,
		     const char *text, unsigned cells)
{
	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
	svg_put(out, text, cells);
	fputs("</text>\n", out);
}

static void put_line(FILE *out, const struct rect *r, const char *class)
{
	fprintf(out,
		"<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" "
		"class=\"%s\"%s/>\n",
		r->x, r->y, r->x + r->w, r->y + r->h, class,
		strcmp(class, "arrow") == 0 ? " marker-end=\"url(#head)\""
					    : "");
}

static void put_box(FILE *out, const struct picture_box *b)
{
	int x = b->at.x + PICTURE_PAD, y = b->at.y + PICTURE_PAD + BASELINE;

	if (b->line.w || b->line.h)
		put_line(out, &b->line, cables[b->cable]);
	fprintf(out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" "
		"class=\"%s\"/>\n",
		b->at.x, b->at.y, b->at.w, b->at.h, kinds[b->kind]);
	for (unsigned i = 0; i < b->n_lines; i++)
		put_text(out, x, y + (int)i * PICTURE_LINE,
			 styles[b->lines[i].style], b->lines[i].text,
			 PICTURE_CELLS_MAX);
}

/* From each of the host's lines to the one beside it, of the first above. */
static void put_arrows(FILE *out, const struct picture *p)
{
	const struct picture_box *host = NULL, *gateway = NULL;

	for (unsigned i = 0; i < p->n_boxes; i++) {
		const struct picture_box *b = &p->boxes[i];

		if (b->place == PICTURE_HOST)
			host = b;
		else if (b->place == PICTURE_ABOVE && !gateway)
			gateway = b;
	}
	for (unsigned i = 1; host && gateway && i <= p->n_arrows; i++) {
		int from = host->at.x + host->at.w;
		struct rect r = {from,
				 host->at.y + PICTURE_PAD +
					 (int)i * PICTURE_LINE +
					 PICTURE_LINE / 2,
				 gateway->at.x - from, 0};

		put_line(out, &r, "arrow");
	}
}

static void put_picture(FILE *out, const struct picture *p,
			char *const titles[2], const char *lan)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"xml:space=\"preserve\">\n<title>",
		p->width, p->height, p->width, p->height);
	svg_put(out, titles[0], ABOUT_CELLS);
	fprintf(out, "</title>\n%s", head);
	fprintf(out,
		"<rect x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" "
		"rx=\"8\" fill=\"#fff\" stroke=\"#d0d7de\"/>\n",
		p->width - 1, p->height - 1);
	put_text(out, PICTURE_MARGIN, PICTURE_MARGIN + 16, "title", titles[0],
		 p->title_cells * 2 / 3);
	put_text(out, PICTURE_MARGIN, PICTURE_MARGIN + 36, "dim", titles[1],
		 p->title_cells);
	for (unsigned i = 0; p->trunks && i < p->n_columns; i++)
		put_line(out, &p->trunks[i], "good");
	put_arrows(out, p);
	for (unsigned i = 0; i < p->n_boxes; i++)
		put_box(out, &p->boxes[i]);
	fprintf(out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" "
		"fill=\"#24292f\"/>\n",
		p->lan.x, p->lan.y, p->lan.w, p->lan.h);
	put_text(out, p->lan.x + PICTURE_PAD, p->lan.y + 19, "lan", lan,
		 (unsigned)(p->lan.w / PICTURE_CELL) - 4);
	fputs("</svg>\n", out);
}

/* "LAN of 3 machines, is captured (2)" */
static char *lan_text(const json_t *network, const json_t *captures)
{
	size_t n = json_array_size(json_object_get(network, "machines"));
	struct picture_box box = {.lines = NULL};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "LAN of %zu machine%s", n, n == 1 ? "" : "s");
	if (say_captures(&box, captures, "")) {
		for (unsigned i = 0; i < box.n_lines; i++)
			fprintf(f, ", %s", box.lines[i].text);
	}
	for (unsigned i = 0; i < box.n_lines; i++)
		free(box.lines[i].text);
	free(box.lines);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* What there is to know, on one line below the name. */
static char *about_text(const json_t *network)
{
	char *text = NULL;
	size_t i, len;
	json_t *v;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(ctl_str(network, "mode"), f);
	json_array_foreach(json_object_get(network, "options"), i, v)
		fprintf(f, " %s", ctl_text(v));
	fprintf(f, ", %s%s", ctl_bool(network, "kept") ? "up" : "used",
		ctl_bool(network, "serving") ? "" : ", engine starts again");
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

int show_svg(FILE *out, const json_t *network, const json_t *captures,
	     struct error *e)
{
	struct picture p = PICTURE_NULL;
	CLEANUP_FREE char *about = about_text(network);
	CLEANUP_FREE char *lan = lan_text(network, captures);
	char *titles[2] = {NULL, about};
	bool ok = about && lan && say_all(&p, network, captures) &&
		  asprintf(&titles[0], "network %s",
			   ctl_str(network, "name")) >= 0;

	if (!ok)
		titles[0] = NULL;
	if (ok) {
		unsigned n = svg_cells(about), big = svg_cells(titles[0]);

		p.title_cells = n < ABOUT_CELLS ? n : ABOUT_CELLS;
		if (p.title_cells < big * 3 / 2 + 1) /* of the larger font */
			p.title_cells = big * 3 / 2 + 1;
		ok = picture_lay_out(&p);
	}
	if (ok)
		put_picture(out, &p, titles, lan);
	free(titles[0]);
	picture_deinit(&p);
	return ok ? 0 : error_errno(e, ENOMEM, "show");
}
