/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replays a fuzz corpus without libFuzzer: each file of the folder named on
 * the command line is given once to LLVMFuzzerTestOneInput().  Linked with
 * every *_fuzz.c by the ordinary (sanitizer) build.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf;
	long len;

	if (!f)
		return -1;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	/* Exactly as long as the input, so that ASan sees an over-read. */
	buf = malloc(len > 0 ? (size_t)len : 1);
	if (!buf || fread(buf, 1, (size_t)len, f) != (size_t)len) {
		fclose(f);
		free(buf);
		return -1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(buf, (size_t)len);
	free(buf);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	struct dirent *de;
	char path[4096];
	DIR *d;

	if (argc != 2) {
		fprintf(stderr, "usage: replay CORPUS_FOLDER\n");
		return 2;
	}
	d = opendir(argv[1]);
	if (!d) {
		fprintf(stderr, "replay: %s: no such corpus\n", argv[1]);
		return 1;
	}
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], de->d_name);
		if (replay_file(path) < 0) {
			fprintf(stderr, "replay: cannot read %s\n", path);
			return 1;
		}
		n++;
	}
	closedir(d);
	if (!n) {
		fprintf(stderr, "replay: %s is empty\n", argv[1]);
		return 1;
	}
	printf("%u inputs\n", n);
	return 0;
}
