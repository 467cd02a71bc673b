/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */

#ifndef DRIVER_API_CONTENTS_H
#define DRIVER_API_CONTENTS_H

#include "plan.h"

/* Checks the values of the inputs, which lie in host memory, against the plan's
 * `contents`. Kernels trust them and can read outside the arguments else. */
void check_contents(const struct entry *entry, const char *path);

#endif
