/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channels IFNAME [N]: how many queue pairs a card uses and how many it has, as
 * "N of M"; with N, uses that many (ethtool -L IFNAME combined N).  For the
 * guest of the tests, which has no other program for it.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

int main(int argc, char **argv)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq r = {.ifr_data = (void *)&c};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc < 2 || strlen(argv[1]) >= sizeof(r.ifr_name))
		return 2;
	strcpy(r.ifr_name, argv[1]);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &r) < 0) {
		perror(argv[1]);
		return 1;
	}
	if (argc > 2) {
		c.cmd = ETHTOOL_SCHANNELS;
		c.combined_count = (unsigned)atoi(argv[2]);
		if (ioctl(fd, SIOCETHTOOL, &r) < 0) {
			perror(argv[1]);
			return 1;
		}
	}
	printf("%u of %u\n", c.combined_count, c.max_combined);
	return 0;
}
