# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bench/fidelity without a model: its texts, its file reader, and what it makes of figures."""
import itertools
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

import common

RUN = common.SOURCE / "bench" / "fidelity" / "run.py"
sys.path.insert(0, str(RUN.parents[1]))
from fidelity import curves, density, gguf_reader, methods, model, report, texts


def encode(text):
    """Stands for a tokenizer: bytes."""
    return list(text.encode())


def decode(tokens):
    return bytes(int(token) for token in np.ravel(tokens)).decode()


def write_gguf(path, metadata, tensors):
    """A GGUF file of metadata and tensors, {name: (shape, type's number, bytes)}, shapes with rows first."""
    def string(text):
        return struct.pack("<Q", len(text.encode())) + text.encode()

    def value(one):
        if isinstance(one, str):
            return struct.pack("<I", 8) + string(one)
        if isinstance(one, list):
            return struct.pack("<IIQ", 9, 8, len(one)) + b"".join(map(string, one))
        return struct.pack("<If", 6, one) if isinstance(one, float) else struct.pack("<II", 4, one)

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(string(name) + value(one) for name, one in metadata.items())
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(data))
        data += raw + bytes(-len(raw) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)


class Texts(common.Case):
    def test_facts(self):
        """The list has the asked length, what is asked was said before, and the answers are its digits."""
        for length in (2560, 4096, int(self.random.integers(2560, 6000))):
            tokens, answers = texts.make_facts(encode, length, self.random)
            self.assertEqual((len(tokens), answers.shape), (length, (texts.QUESTIONS["facts"], texts.DIGITS)))
            said, asked = decode(tokens).split("Here are some of the numbers again.")
            facts = dict(line.removeprefix("The number of ").removesuffix(".").split(" is ")
                         for line in said.splitlines() if line.startswith("The number of "))
            for place, line in zip(answers, asked.split("\n")[2:]):
                name = line.split(" ")[3]
                self.assertEqual(line, f"The number of {name} is {facts[name]}.")
                self.assertEqual(decode(tokens[place]), facts[name])
            # No more facts fit.
            self.assertLess(len(said) - len(said.lstrip("\n")), len("The number of Bofuri is 123.\n"))

    def test_needles(self):
        """In the order of depth, evenly spread."""
        prose = encode("prose " * 1000)
        tokens, answers = texts.make_needles(encode, prose, 3000, self.random)
        self.assertEqual((len(tokens), answers.shape), (3000, (texts.QUESTIONS["needle"], texts.DIGITS)))
        said, asked = decode(tokens).split("Here are some of the numbers again.")
        depths = []
        for place in answers:
            line = decode(tokens[: place[-1] + 1]).split("\n")[-1] + "."
            self.assertEqual(decode(tokens[place]), line[-4:-1])
            self.assertEqual(said.count(line), 1)
            self.assertEqual(asked.count(line), 1)
            depths.append(said.index(line))
        self.assertEqual(depths, sorted(depths))
        self.assertLess(np.ptp(np.diff(depths)), 3)

    def test_too_short(self):
        with self.assertRaisesRegex(model.Missing, "40 questions do not fit into 1000 tokens"):
            texts.make_facts(encode, 1000, self.random)

    def test_prose_of_a_page(self):
        page = texts._Prose()
        page.feed('<html><head><title>no</title></head><body><ul class="docnav top"><li>no<ul><li>no</li></ul></li></ul>'
                  "<h1>A  title</h1><p>Some <b>bold</b>\nwords &amp; so on.</p><pre>no</pre><ul><li>item</li></ul></body>")
        page.close()
        self.assertEqual(page.text(), "A title\n\nSome bold words & so on.\n\nitem")

    def test_seeds(self):
        """Text, length and seed decide what is read."""
        reader = texts.Reader(encode)
        keys = list(itertools.product(("code", "facts"), (3072, 4096), (1, 2)))
        samples = {key: reader.sample(*key) for key in keys}
        again = {key: texts.Reader(encode).sample(*key) for key in keys}
        for key, other in itertools.product(keys, keys):
            self.assertEqual(np.array_equal(samples[key].tokens, again[other].tokens), key == other)

    def test_saved(self):
        reader = texts.Reader(encode)
        samples, skipped = texts.collect(reader, ("code", "facts"), (1024, 3072), (1, 2))
        self.assertEqual(skipped, [("facts", "40 questions do not fit into 1024 tokens")])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "samples.npz")
            texts.save(path, samples)
            saved = texts.Saved(path)
            loaded, missing = texts.collect(saved, ("code", "facts"), (1024, 3072), (1, 2))
            self.assertEqual([one.describe() for one in loaded], [one.describe() for one in samples])
            for one, other in zip(loaded, samples):
                self.assertEqual(one.answers is None, other.answers is None)
                self.assertTrue(one.answers is None or np.array_equal(one.answers, other.answers))
            self.assertEqual(len(missing), 2)
            self.assertRegex(missing[0][1], "no sample of 1024 tokens with seed 1")


class Reader(common.Case):
    def test_file(self):
        """Values of each type by their definition; a file in parts."""
        scales = self.random.standard_normal((6, 2)).astype(np.float16)
        plain = self.random.standard_normal((3, 5)).astype(np.float32)
        signed = self.random.integers(-128, 128, (6, 32), dtype=np.int8)
        four = self.random.integers(0, 16, (6, 32), dtype=np.uint8)
        packed = four[:, :16] | four[:, 16:] << 4
        tensors = {
            "plain": ((3, 5), 0, plain.tobytes()),
            "eight": ((3, 64), 8, b"".join(scale[:1].tobytes() + row.tobytes() for scale, row in zip(scales, signed))),
            "four": ((2, 96), 3, b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, packed)))}
        metadata = {"text": "wörter", "number": 7, "real": 0.5, "list": ["a", "bc"]}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "whole")
            write_gguf(path, metadata, tensors)
            data = path.read_bytes()
            cut = int(self.random.integers(1, len(data)))
            for number, part in enumerate((data[:cut], data[cut:])):
                pathlib.Path(folder, f"model.gguf.{number}").write_bytes(part)
            for file in (gguf_reader.GGUF(path), gguf_reader.GGUF(*model.find(folder))):
                self.assertEqual(file.metadata, metadata)
                self.assertEqual(file.names, ("plain", "eight", "four"))
                self.assertTrue(np.array_equal(file.tensor("plain"), plain))
                wide = scales.astype(np.float32)
                self.assertTrue(np.array_equal(file.tensor("eight"), (wide[:, :1] * signed).reshape(3, 64)))
                self.assertTrue(np.array_equal(file.tensor("four"), (wide[:, :1] * four + wide[:, 1:]).reshape(2, 96)))
            with self.assertRaisesRegex(ValueError, "no GGUF file of version 3"):
                path.write_bytes(b"GGUF" + struct.pack("<I", 2))
                gguf_reader.GGUF(path)

    def test_halves(self):
        """Products of queries and keys that RoPE turned are the same in both orders."""
        heads, dim, columns = 3, 8, 10
        rows = heads * dim
        weights = self.random.standard_normal((2, rows, columns))
        vectors = self.random.standard_normal((2, columns))
        angles = self.random.uniform(0, 6, (2, dim // 2))

        def turn(pairs, angle):
            """Pairs (heads, D / 2, 2)."""
            first, second = pairs[..., 0], pairs[..., 1]
            cosine, sine = np.cos(angle), np.sin(angle)
            return np.stack([first * cosine - second * sine, first * sine + second * cosine], -1)

        neighbours, halves = [], []
        for weight, vector, angle in zip(weights, vectors, angles):
            neighbours.append(turn((weight @ vector).reshape(heads, dim // 2, 2), angle))
            other = (model._halves_first(weight, heads) @ vector).reshape(heads, 2, dim // 2).swapaxes(1, 2)
            halves.append(turn(other, angle))
        np.testing.assert_allclose(*[np.einsum("hdi,hdi->h", *both) for both in (neighbours, halves)])


class Density(common.Case):
    def test_of_selections(self):
        """Of random lists, from their share of the reachable blocks; block by block, and by the twin's geometry."""
        for query_block, block, segment in ((128, 128, 128), (128, 64, 64), (128, 64, 256), (64, 64, 128), (192, 128, 256)):
            length = 128 * int(self.random.integers(4, 20))
            geometry = common.twin.Geometry(length, length, query_block, block, segment)
            reachable = geometry.reachable()
            self.assertEqual(density.reachable_blocks(length, query_block, block, segment), reachable.sum())
            listed = reachable & (self.random.random(reachable.shape) < 0.3)
            causal = sum(128 * 128 for row in range(length // 128) for column in range(row + 1))
            options = {"query_block": query_block, "block": block, "segment": segment}
            self.assertAlmostEqual(density.density(listed.sum() / reachable.sum(), length, options),
                                   listed.sum() * query_block * block / causal)


class Curves(common.Case):
    def test_crossing(self):
        points = [(0.4, 0.01), (0.1, 0.1), (0.2, 0.03)]
        self.assertEqual(curves.crossing(points, 0.2), ("<", 0.1))
        self.assertEqual(curves.crossing(points, 0.001), (">", 0.4))
        relation, density = curves.crossing(points, 0.02)
        self.assertEqual(relation, "=")
        self.assertAlmostEqual(density, 0.3)
        _, density = curves.crossing(points, 0.01 * 3**0.5, is_logarithmic=True)
        self.assertAlmostEqual(density, 0.3)
        # What is below a hundredth of the target counts as that.
        for noise in (-1.0, 0.0, 1e-9):
            _, density = curves.crossing([(0.2, 1.0), (0.4, noise)], 0.1, is_logarithmic=True)
            self.assertAlmostEqual(density, 0.2 + 0.2 / 3)
        self.assertIsNone(curves.crossing([], 1))

    def test_crossing_of_what_rises_again(self):
        """The last crossing counts: beyond it damage stays below."""
        relation, density = curves.crossing([(0.1, 0.5), (0.2, 0.1), (0.3, 0.3), (0.5, 0.1)], 0.2)
        self.assertEqual(relation, "=")
        self.assertAlmostEqual(density, 0.4)

    def test_crossing_of_lines(self):
        for _ in range(50):
            slope, target = self.random.uniform(1, 4), self.random.uniform(0.01, 0.1)
            densities = np.sort(self.random.uniform(0, 1, 6))
            expected = -math.log(target) / slope
            relation, density = curves.crossing([(x, math.exp(-slope * x)) for x in densities], target, is_logarithmic=True)
            if relation == "=":
                self.assertAlmostEqual(density, expected)
            else:
                self.assertEqual(relation, "<" if expected < densities[0] else ">")

    def test_costs(self):
        by_name = {method.name: method for method in methods.METHODS}
        self.assertAlmostEqual(methods.score_cost(by_name["rows"], 8192), 1 / 32)
        self.assertAlmostEqual(methods.score_cost(by_name["rows-kv"], 8192), 1 / 32 + 128 / 8192)
        self.assertAlmostEqual(methods.score_cost(by_name["pbs-attn"], 8192), 1 / 32768 + 128 / 8192)
        self.assertEqual(methods.score_cost(by_name["dense"], 8192), 0)
        recommended = [method for method in methods.METHODS if method.recommended]
        self.assertTrue(all(methods.score_cost(method, curves.GOAL_LENGTH) <= curves.GOAL_COST for method in recommended))

    def test_thin(self):
        self.assertEqual(methods.thin((1, 2, 3, 4, 5), 3), (1, 3, 5))
        self.assertEqual(methods.thin((1, 2, 3, 4, 5), 1), (3,))
        self.assertEqual(methods.thin((1, 2), 5), (1, 2))

    def test_unknown_option(self):
        def configure(**options):
            raise TypeError("configure() has no option score, but all, block")

        self.assertEqual(methods.why_not(methods.METHODS[1], configure), "configure() has no option score")
        self.assertIsNone(methods.why_not(methods.METHODS[1], lambda **options: None))


class Report(common.Case):
    """Of figures that follow a law: damage falls exponentially with the density, in each sample at its own rate."""

    SEEDS = (3, 4)

    def make(self, lengths=(4096, 8192)):
        chosen = methods.choose(["dense", "pbs-attn", "rows-64", "mean-top-k", "oracle"])
        self.rates, rows = {}, []
        for length, text, seed in itertools.product(lengths, texts.NAMES, self.SEEDS):
            base = {"text": text, "seed": seed, "length": length, "scaled_rope": length > 8192, "same": 1.0, "seconds": 0.0}

            def losses(damage):
                answers = {"cross_entropy": 1 + damage, "right": math.exp(-damage), "rank": 1 + damage, "by_question": []}
                return {"cross_entropy": 2 + damage / 2, "kl": damage} | ({"answers": answers} if text in texts.ASKED else {})

            rows.append({**base, "method": "full", "value": None, **losses(0)})
            for method in chosen:
                rate = self.rates[method.name, length, text, seed] = self.random.uniform(8, 12)
                for place, value in enumerate(method.values):
                    share = 1 if value is None else 0.05 + 0.9 * place / (len(method.values) - 1)
                    damage = math.exp(-rate * share)
                    rows.append({**base, "method": method.name, "value": value, "density": share, "layer_error": damage,
                                 "layer_densities": [share], "layer_errors": [damage], **losses(damage)})
        what = {"name": "Model", "package": "package", "licence": "licence", "quantisation": "none", "layers": 1, "q_heads": 9,
                "kv_heads": 3, "head_dim": 64}
        costs = {method.name: {length: methods.score_cost(method, length) for length in lengths} for method in chosen}
        return json.loads(json.dumps({
            "date": "2000-01-01", "environment": {"device": "none", "versions": {"torch": "0", "transformers": "0"}},
            "model": what, "settings": {"seeds": self.SEEDS, "layers": [0], "dtype": "f16", "model_dtype": "float32"},
            "methods": [{**method.describe(), "score_cost": costs[method.name]} for method in chosen],
            "samples": [{"text": text} for text in texts.NAMES], "skipped": [["prose", "none there"]], "rows": rows}))

    def test_density_of_one_text(self):
        """Where a curve is a line, the interpolation is exact."""
        rows = curves.Rows(self.make()["rows"], 8192)
        target = curves.Target("", "kl", ("prose",), 0.02, True)
        relation, _, each = rows.reached("rows-64", target)
        self.assertEqual(relation, "=")
        for seed, (_, found) in zip(self.SEEDS, each):
            self.assertAlmostEqual(found, -math.log(0.02) / self.rates["rows-64", 8192, "prose", seed])

    def test_rows_that_time_did_not_reach(self):
        """A value that not all samples were measured at is on no curve."""
        result = self.make()
        value = methods.choose(["rows-64"])[0].values[2]
        lost = [row for row in result["rows"] if (row["method"], row["value"], row["text"]) == ("rows-64", value, "code")][1]
        rows = curves.Rows([row for row in result["rows"] if row is not lost], lost["length"])
        all_values = methods.choose(["rows-64"])[0].values
        self.assertEqual(set(rows.pairs("rows-64", texts.READ)), set(all_values) - {value})
        self.assertEqual(set(rows.pairs("rows-64", ("facts",))), set(all_values))

    def test_tables(self):
        text = report.tables(self.make((4096, 16384)))
        self.assertIn("seeds 3, 4", text)
        self.assertIn("### 16K tokens, scaled RoPE: every point", text)
        self.assertIn("Floor, every block through the kernels: density 1.000, KL", text)
        self.assertIn("- prose: none there", text)
        self.assertNotIn("Goals", text)
        self.assertRegex(report.tables(self.make()), r"Goals for rows-64: score cost 3.1 %, goal 5 %: reached; "
                         r"KL 0.02 at 0\.\d{3}, goal 0.27: \*\*not reached\*\*")

    def test_command(self):
        """Tables and plots from a file alone."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "report.json")
            path.write_text(json.dumps(self.make()))
            plots = [] if common.missing("matplotlib") else [f"--plots={folder}/plots"]
            done = subprocess.run([sys.executable, RUN, f"--from-json={path}", *plots], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("| PBS-Attn: order per query head, mean pooling, top-p | 1.6 % |", done.stdout)
            if not plots:
                self.skipTest(common.missing("matplotlib"))
            expected = {f"{kind}-{length}.png" for length in ("4K", "8K")
                        for kind in ("talk", "kl", "perplexity", "answers", "layers")}
            self.assertEqual({one.name for one in pathlib.Path(folder, "plots").iterdir()}, expected | {"lengths.png"})

    def test_errors(self):
        for arguments, words in ((["--methods=none"], "no method none, but dense, "), (["--texts=x"], "no text x, but prose, "),
                                 (["--lengths=1000"], "a length is a multiple of 128"),
                                 (["--prepared=/nowhere"], "/nowhere has no model.gguf.0")):
            done = subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    common.main()
