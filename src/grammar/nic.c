/* SPDX-License-Identifier: BSD-3-Clause */
/* Models of network cards, and the text of --nic; called by the commands. */
#include "grammar/nic.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "grammar/nearest.h"
#include "grammar/netdev_spec.h"

enum {
	NIC_FIELD_LEN = 64, /* a model or a MAC, with NUL */
};

const struct nic_model nic_models[] = {
	{"virtio-net-pci", "virtio virtio-net", "virtio-net-pci",
	 "paravirtual, the fastest; needs a driver, which Linux has"},
	{"virtio-net-pci-transitional", NULL, "virtio-net-pci-transitional",
	 "virtio for old and new drivers, on a conventional slot"},
	{"virtio-net-pci-non-transitional", NULL,
	 "virtio-net-pci-non-transitional", "virtio for new drivers only"},
	{"virtio-net-device", NULL, "virtio-net-device",
	 "virtio without PCI, for microvm and ARM virt"},
	{"e1000", "e1000-82540em", "e1000",
	 "Intel 82540EM gigabit, known to nearly every guest"},
	{"e1000-82544gc", NULL, "e1000-82544gc", "Intel 82544GC gigabit"},
	{"e1000-82545em", NULL, "e1000-82545em", "Intel 82545EM gigabit"},
	{"e1000e", NULL, "e1000e", "Intel 82574L gigabit, PCI Express"},
	{"igb", NULL, "igb", "Intel 82576 gigabit, since QEMU 8.0"},
	{"vmxnet3", NULL, "vmxnet3", "VMware's paravirtual card"},
	{"rtl8139", NULL, "rtl8139", "Realtek 100 Mbit/s"},
	{"pcnet", NULL, "pcnet", "AMD PCnet 10 Mbit/s, PCI"},
	{"ne2k_pci", NULL, "ne2k_pci", "NE2000 10 Mbit/s, PCI"},
	{"ne2k_isa", NULL, "ne2k_isa", "NE2000 10 Mbit/s, ISA"},
	{"tulip", NULL, "tulip", "DEC 21143 100 Mbit/s"},
	{"i82550", NULL, "i82550", "Intel EtherExpress Pro 100"},
	{"i82551", NULL, "i82551", "Intel EtherExpress Pro 100"},
	{"i82557a", NULL, "i82557a", "Intel EtherExpress Pro 100"},
	{"i82557b", NULL, "i82557b", "Intel EtherExpress Pro 100"},
	{"i82557c", NULL, "i82557c", "Intel EtherExpress Pro 100"},
	{"i82558a", NULL, "i82558a", "Intel EtherExpress Pro 100"},
	{"i82558b", NULL, "i82558b", "Intel EtherExpress Pro 100"},
	{"i82559a", NULL, "i82559a", "Intel EtherExpress Pro 100"},
	{"i82559b", NULL, "i82559b", "Intel EtherExpress Pro 100"},
	{"i82559c", NULL, "i82559c", "Intel EtherExpress Pro 100"},
	{"i82559er", NULL, "i82559er", "Intel EtherExpress Pro 100"},
	{"i82562", NULL, "i82562", "Intel EtherExpress Pro 100"},
	{"i82801", NULL, "i82801", "Intel EtherExpress Pro 100"},
	{"usb-net", NULL, "usb-net", "USB CDC Ethernet; needs a USB bus"},
	{.name = NULL},
};

/* True if word is one of the words of list. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strchr(word, ' ') ? 0 : strlen(word);
	const char *p = list;

	while (len && p && (p = strstr(p, word))) {
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
		p += len;
	}
	return false;
}

const struct nic_model *nic_model_find(const char *name)
{
	for (const struct nic_model *m = nic_models; m->name; m++) {
		if (!strcmp(m->name, name) || has_word(m->aliases, name))
			return m;
	}
	return NULL;
}

static int unknown_model(const char *name, struct error *e)
{
	const struct nic_model *best = nic_models;
	unsigned least = word_distance(name, "virtio");
	char q[QUOTE_LEN];

	for (const struct nic_model *m = nic_models; m->name; m++) {
		unsigned d = word_distance(name, m->name);

		if (d < least) {
			least = d;
			best = m;
		}
	}
	return error_set(e, EXIT_USAGE,
			 "Unsupported NIC model: %s; the nearest is '%s', all "
			 "are in 'vmlan nic list'",
			 quote(q, name),
			 best == nic_models ? "virtio" : best->name);
}

static int set_mac(const char *text, struct nic_spec *n, struct error *e)
{
	char q[QUOTE_LEN];

	if (!mac_parse(text, &n->mac))
		return error_set(e, EXIT_USAGE,
				 "invalid syntax for ethernet address '%s' "
				 "(mac= of --nic)",
				 quote(q, text));
	if (mac_is_group(n->mac))
		return error_set(e, EXIT_USAGE,
				 "NIC cannot have multicast MAC address "
				 "(mac=%s of --nic)",
				 quote(q, text));
	if (mac_is_zero(n->mac))
		return error_set(e, EXIT_USAGE,
				 "NIC cannot have the all-zero MAC address "
				 "(mac= of --nic; leave it out for a stable "
				 "one)");
	n->has_mac = true;
	return 0;
}

static int set_queues(const char *text, struct nic_spec *n, struct error *e)
{
	char q[QUOTE_LEN], *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || v < 1 ||
	    v > NETDEV_PAIRS_MAX)
		return error_set(e, EXIT_USAGE,
				 "number of queues must be in range [1, %d], "
				 "not '%s' (queues= of --nic)",
				 NETDEV_PAIRS_MAX, quote(q, text));
	n->queues = (unsigned)v;
	return 0;
}

static int set_model(const char *text, struct nic_spec *n, struct error *e)
{
	n->model = nic_model_find(text);
	return n->model ? 0 : unknown_model(text, e);
}

static const char *nearest_key(const char *key)
{
	static const char *const keys[] = {"model", "mac", "queues"};
	const char *best = keys[0];

	for (unsigned i = 1; i < array_len(keys); i++)
		if (word_distance(key, keys[i]) < word_distance(key, best))
			best = keys[i];
	return best;
}

static int set_field(const char *key, const char *value, struct nic_spec *n,
		     struct error *e)
{
	bool is_mac = !strcmp(key, "mac") || !strcmp(key, "macaddr");
	bool is_model = !strcmp(key, "model");
	char q[QUOTE_LEN];

	if (!is_mac && !is_model && strcmp(key, "queues"))
		return error_set(e, EXIT_USAGE,
				 "Invalid parameter '%s' of --nic; the "
				 "nearest is '%s'",
				 quote(q, key), nearest_key(key));
	if (is_mac ? n->has_mac : is_model ? n->model != NULL : n->queues)
		return error_set(e, EXIT_USAGE,
				 "Parameter '%s' of --nic is given twice",
				 is_mac ? "mac" : key);
	if (is_mac)
		return set_mac(value, n, e);
	return is_model ? set_model(value, n, e) : set_queues(value, n, e);
}

int nic_parse(const char *text, struct nic_spec *np, struct error *e)
{
	struct nic_spec n = {.model = NULL};
	char field[NIC_FIELD_LEN], q[QUOTE_LEN];
	const char *p = text;

	for (;;) {
		size_t len = strcspn(p, ",");
		char *equals;

		if (len >= sizeof(field))
			return unknown_model(p, e);
		memcpy(field, p, len);
		field[len] = '\0';
		equals = strchr(field, '=');
		if (!equals && p != text)
			return error_set(e, EXIT_USAGE,
					 "Expected '=' after parameter '%s' "
					 "of --nic",
					 quote(q, field));
		if (equals)
			*equals++ = '\0';
		if (set_field(equals ? field : "model", equals ? equals : field,
			      &n, e) < 0)
			return -1;
		if (!p[len])
			break;
		p += len + 1;
	}
	if (!n.model)
		n.model = nic_models;
	*np = n;
	return 0;
}

void nic_list(FILE *out)
{
	fprintf(out, "%-32s %-18s %s\n", "MODEL", "ALSO", "DESCRIPTION");
	for (const struct nic_model *m = nic_models; m->name; m++)
		fprintf(out, "%-32s %-18s %s\n", m->name,
			m->aliases ? m->aliases : "-", m->help);
}

mac nic_mac(const char *network, const char *name, unsigned nic)
{
	/* A fixed key: the address must be the same in every run. */
	static const struct hash_key key = {0x766d6c616e206d61, 0x6320312e30};
	char text[256];
	uint64_t h;
	int n;

	n = snprintf(text, sizeof(text), "%s/%s/%u", network, name, nic);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	h = hash_bytes(&key, text, (size_t)n);
	return (mac){{0x52, 0x54, 0x00, (uint8_t)(h >> 16), (uint8_t)(h >> 8),
		      (uint8_t)h}};
}
