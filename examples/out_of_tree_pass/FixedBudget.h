// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef FIXEDBUDGET_H
#define FIXEDBUDGET_H

/// Makes `--fixed-budget` known to the program.
void registerFixedBudget();

#endif // FIXEDBUDGET_H
