/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data process.  The keeper forks it; it shuts itself into its sandbox,
 * then takes orders over the socketpair: lans, ports and forwards, with their
 * descriptors.  It opens nothing by name.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

/* Runs until told to stop, or until the keeper is gone and either the first
 * order said to end with it or no machine is left.  sock: the engine's end
 * of the socketpair, owned.  lock: a descriptor that is kept open for life, -1:
 * none.  Returns an exit code. */
int engine_main(int sock, int lock);

#endif
