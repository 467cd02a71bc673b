# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The test format of a round trip. lit's workers import it by name."""

import lit.formats
import lit.Test


class RoundTripTest(lit.formats.ShTest):
    """Runs only the tests that call pbs-opt."""

    def execute(self, test, lit_config):
        with open(test.getSourcePath(), encoding="utf-8") as source:
            if "pbs-opt" not in source.read():
                return lit.Test.UNSUPPORTED, "does not call pbs-opt"
        return super().execute(test, lit_config)
