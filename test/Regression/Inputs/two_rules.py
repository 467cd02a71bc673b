# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The module of pbs-gen --composite that returns a second output beside the first: that of the single best block."""
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
(line,) = re.findall(r"^.*pbs\.prefill.*\n", text, re.MULTILINE)
second = line.replace("%output, %logSumExp", "%second, %secondLogSumExp")
second, count = re.subn(r"#pbs\.top_p<.*?>", "#pbs.top_k<1>", second)
assert count == 1 and second != line, line
(output,) = re.findall(r"-> (tensor<\S+>), tensor", line)
text = text.replace(line, line + second)
text = re.sub(r"return (%\S+), (\S+) : (\S+), (\S+)", rf"return \1, \2, %second : \3, \4, {output}", text)
text = re.sub(r'(\{pbs\.name = "lse"\})\)', rf"\1, {output})", text)
print(text)
