# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What block-sparse attention does to a language model: bench/fidelity/run.py measures it, README.md says how."""
