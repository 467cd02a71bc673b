# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_report.py PAGE [DUMP SEGMENT[:causal] ...]: a page of pbs-run --report against the dump of its run.

The page must load nothing. Its n-th selection is that of counts.n and indices.n, over the segments of the n-th
argument (0 for none). In the current folder, q.npy and k.npy give the lengths, and cut.npy, if it is there, the query
blocks cut. Prints what the page shows.
"""
import base64
import html.parser
import json
import pathlib
import sys

import numpy as np


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.scripts, self.inside = [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        names = {name for name, _ in attributes}
        assert not names & {"src", "href", "srcset", "action", "data"}, f"<{tag}> loads something"
        assert tag not in ("link", "iframe", "object", "embed", "base"), f"<{tag}> may load something"
        if tag == "script":
            self.inside = True
            self.scripts.append((dict(attributes), ""))

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def read_page(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    assert "@DATA@" not in text and "@SCRIPT@" not in text
    page = Page(text)
    (data_attributes, data), (code_attributes, code) = page.scripts
    assert data_attributes == {"type": "application/json", "id": "data"} and code_attributes == {}
    for word in ("fetch(", "import(", "XMLHttpRequest", "http://", "https://"):
        assert word not in text, word
    assert "function buildPage()" in code and code.rstrip().endswith("buildPage();")
    return json.loads(data)


def decode(text, dtype):
    return np.frombuffer(base64.b64decode(text, validate=True), dtype)


def decode_bf16(text):
    return (decode(text, "<u2").astype(np.uint32) << 16).view(np.float32)


def decode_map(selection, row):
    """Qb x Kb: 0 not listed, 1 whole, 2 masked."""
    packed = decode(row["map"], np.uint8).astype(int)
    cells = (packed[:, None] // 3 ** np.arange(5) % 3).reshape(-1)
    total = sum(selection["columns"])
    assert packed.max(initial=0) < 243 and len(packed) == -(-total // 5) and not cells[total:].any()
    states = np.zeros((selection["queryBlocks"], selection["keyBlocks"]), int)
    for a, cells_of_row in enumerate(np.split(cells[:total], np.cumsum(selection["columns"])[:-1])):
        states[a, : len(cells_of_row)] = cells_of_row
    return states


def states_of(counts, indices, key_blocks):
    states = np.zeros((*counts.shape[:3], key_blocks), int)
    for at in np.ndindex(counts.shape[:3]):
        whole, masked = counts[at]
        states[at][indices[at][:whole]] = 1
        states[at][indices[at][whole : whole + masked]] = 2
    return states


def check_selection(selection, counts, indices, scores, cut, segment, causal, query_length, key_length):
    batch, heads, query_blocks = counts.shape[:3]
    key_blocks = -(-key_length // 128)
    expected = dict(batch=batch, heads=heads, queryBlocks=query_blocks, keyBlocks=key_blocks, queryBlock=128,
                    keyBlock=128, segment=segment or None, causal=causal, queryLength=query_length,
                    keyLength=key_length)
    assert {name: selection[name] for name in expected} == expected, (selection, expected)
    unit = segment or 128
    reach = [key_blocks] * query_blocks
    if causal:
        last = [min((a + 1) * 128, query_length) - 1 + key_length - query_length for a in range(query_blocks)]
        reach = [min(key_blocks, (position // unit + 1) * (unit // 128)) for position in last]
    assert selection["reach"] == reach
    states = states_of(counts, indices, key_blocks)
    assert [(row["batch"], row["head"]) for row in selection["rows"]] == list(np.ndindex(batch, heads))
    for row in selection["rows"]:
        at = row["batch"], row["head"]
        assert (decode_map(selection, row) == states[at]).all(), at
        assert (decode(row["counts"], "<u2").reshape(-1, 2) == counts[at]).all()
        assert [row["whole"], row["masked"]] == counts[at].sum(axis=0).tolist()
        assert row["cut"] == (None if cut is None else cut[at])
        kept = None
        if scores is not None:
            rows = scores[at].astype(float)
            rows, listed = rows[rows.sum(axis=1) > 0], states[at][rows.sum(axis=1) > 0] > 0
            kept = np.mean((rows * listed).sum(axis=1) / rows.sum(axis=1)) if len(rows) else None
        assert row["keptScore"] is None if kept is None else abs(row["keptScore"] - kept) < 1e-9
    return (states > 0).sum() / (batch * heads * sum(reach))


def check_bins(found, values, keys_per_bin):
    for name, reduce in ("mean", np.mean), ("maximum", np.max):
        expected = [reduce(values[i : i + keys_per_bin]) for i in range(0, len(values), keys_per_bin)]
        np.testing.assert_allclose(decode_bf16(found[name]), expected, rtol=2**-8, atol=0)


def check_importance(found, importance, permutation):
    batch, heads, keys = importance.shape
    assert (found["heads"], found["keys"]) == (heads, keys)
    assert [(row["batch"], row["head"]) for row in found["rows"]] == list(np.ndindex(batch, heads))
    for row in found["rows"]:
        values = importance[row["batch"], row["head"]]
        check_bins(row["before"], values, found["keysPerBin"])
        if permutation is None:
            assert row["after"] is None
        else:
            check_bins(row["after"], values[permutation[row["batch"], row["head"]]], found["keysPerBin"])


def main():
    page, *rest = sys.argv[1:]
    report = read_page(page)
    dump = {}
    if rest:
        dump = {path.stem: np.load(path) for path in pathlib.Path(rest[0]).glob("*.npy")}
        cut = np.load("cut.npy") if pathlib.Path("cut.npy").exists() else None
        (query_length, key_length) = (np.load(f"{name}.npy").shape[2] for name in "qk")
    print("title:", ascii(report["title"]))
    number = 0
    for part in report["parts"]:
        print(f"part: {part['title']}")
        facts = dict(part["facts"])
        for label in "causal", "window", "selection", "capacity", "permutation":
            if label in facts:
                print(f"  {label}: {facts[label]}")
        for sentence in part["missing"]:
            print("  missing:", sentence)
        # Of several selections only the one that keys are sorted for has scores and importance.
        is_sorted = "sorted" in facts.get("permutation", "")
        if part["selection"] and rest:
            suffix = f".{number}" if number else ""
            segment, _, causal = rest[1 + number].partition(":")
            share = check_selection(part["selection"], dump["counts" + suffix], dump["indices" + suffix],
                                    dump["scores"] if is_sorted else None, cut if "capacity" in facts else None,
                                    int(segment), causal == "causal", query_length, key_length)
            print(f"  share: {100 * share:.1f}")
        number += part["selection"] is not None
        if part["importance"] and rest:
            check_importance(part["importance"], dump["importance" if is_sorted else "importance.1"],
                             dump["permutation"] if is_sorted else None)
            print("  importance")


main()
