# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bench/fidelity on a small random model, and on SmolLM2-135M at 2048 tokens."""
import json
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock

import numpy as np

import common
from common import DEVICE, ON_GPU, pbs
from test_fidelity import RUN, write_gguf

REASON = common.missing("torch") or common.missing("transformers")
if REASON is None:
    import torch
    from fidelity import attention, gguf_reader, measure, methods, model, texts

PLACE = "cuda" if ON_GPU else "cpu"
PBS_DEVICE = None if ON_GPU else DEVICE
LAYERS, Q_HEADS, KV_HEADS, WIDTH, INNER, VOCABULARY, TRAINED = 3, 4, 2, 256, 128, 100, 512
METADATA = {"llama.block_count": LAYERS, "llama.context_length": TRAINED, "llama.embedding_length": WIDTH,
            "llama.feed_forward_length": INNER, "llama.attention.head_count": Q_HEADS,
            "llama.attention.head_count_kv": KV_HEADS, "llama.rope.freq_base": 1e5, "llama.rope.dimension_count": 64,
            "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.vocab_size": VOCABULARY,
            **{f"tokenizer.ggml.{name}_token_id": number for number, name in enumerate(("padding", "bos", "eos"))}}


# The best block, the first and the own one: of the last query block's four, one is left out whatever the scores are.
FEW = None if REASON else methods.Method("few", "few", methods.choose(["mean-top-k"])[0].options, "top_k", (1, 8))


def close(one, other, tolerance):
    return float((one - other).norm() / other.norm()) < tolerance


@unittest.skipIf(REASON, REASON)
class Small(common.Case):
    """A Llama of three layers with random weights, read from a GGUF file."""

    def setUp(self):
        super().setUp()
        guard = torch.no_grad()
        guard.__enter__()
        self.addCleanup(guard.__exit__, None, None, None)
        shapes = {"token_embd": (VOCABULARY, WIDTH), "output_norm": (WIDTH,)}
        for layer in range(LAYERS):
            shapes |= {f"blk.{layer}.{name}": shape for name, shape in {
                "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "attn_q": (Q_HEADS * 64, WIDTH), "attn_k": (KV_HEADS * 64, WIDTH),
                "attn_v": (KV_HEADS * 64, WIDTH), "attn_output": (WIDTH, Q_HEADS * 64), "ffn_gate": (INNER, WIDTH),
                "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}.items()}
        tensors = {}
        for name, shape in shapes.items():
            values = np.ones(shape) if len(shape) == 1 else 0.1 * self.random.standard_normal(shape)
            tensors[name + ".weight"] = shape, 0, values.astype(np.float32).tobytes()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "small")
            write_gguf(path, METADATA, tensors)
            self.model = measure.Model(gguf_reader.GGUF(path), PLACE, torch.float32)
        self.tokens = torch.from_numpy(self.random.integers(VOCABULARY, size=TRAINED)).to(PLACE)
        self.model.set_length(TRAINED)

    def hidden(self, method=None, value=None, layers=range(LAYERS), dtype="float16"):
        what = attention.Pass(method, method and method.settings(value), layers, getattr(torch, dtype), PBS_DEVICE)
        return self.model.hidden(self.tokens, what), what

    def test_every_block(self):
        """The kernels over every block give what full attention gives, and transformers' own too."""
        full, _ = self.hidden()
        found, what = self.hidden(methods.METHODS[0])
        self.assertTrue(close(found, full, 2e-3))
        self.assertEqual(what.densities, dict.fromkeys(range(LAYERS), 1.0))
        self.assertTrue(all(0 < error < 2e-3 for error in what.errors.values()), what.errors)
        self.model.network.set_attn_implementation("sdpa")
        own = self.model.network.model(self.tokens[None], use_cache=False).last_hidden_state[0]
        self.assertTrue(close(full, own, 1e-4))

    def test_layers(self):
        """The others compute full attention."""
        full, _ = self.hidden()
        none, what = self.hidden(FEW, 1, layers=[])
        self.assertEqual((what.errors, what.densities), ({}, {}))
        self.assertTrue(torch.equal(none, full))
        found, what = self.hidden(FEW, 1, layers=[1])
        self.assertEqual((list(what.errors), list(what.densities)), ([1], [1]))
        self.assertFalse(close(found, full, 1e-3))

    def test_densities(self):
        """By the lists that the very kernel gives for the same q, k and v."""
        method = methods.choose(["mean-threshold"])[0]
        settings = {**method.settings(0.4), "block": 64, "segment": 64}
        kernel = pbs.compile(q_heads=Q_HEADS, kv_heads=KV_HEADS, head_dim=64, dtype="f16", scale=0.125, device=PBS_DEVICE,
                             return_selection=True, **settings)
        areas, original = [], pbs.transformers.attention

        def record(module, query, key, value, *rest, **given):
            counts = kernel(query, key, value)[-2]
            areas.append(int(counts.sum()) * 128 * 64 / Q_HEADS)
            return original(module, query, key, value, *rest, **given)

        with unittest.mock.patch.object(pbs.transformers, "attention", record):
            what = attention.Pass(method, settings, range(LAYERS), torch.float16, PBS_DEVICE)
            self.model.hidden(self.tokens, what)
        causal = 10 * 128 * 128
        np.testing.assert_allclose(list(what.densities.values()), [area / causal for area in areas])

    def test_fallback(self):
        """A layer that PBS did not compute is an error, no figure."""
        with self.assertRaisesRegex(RuntimeError, "of 3 layers 0 ran PBS, others fell back: {'dtype torch.float32': 3}"):
            self.hidden(methods.METHODS[0], dtype="float32")

    def test_oracle(self):
        method = methods.choose(["oracle"])[0]
        full, _ = self.hidden()
        every, what = self.hidden(method, 0)
        self.assertTrue(close(every, full, 1e-4))
        self.assertEqual(what.densities, dict.fromkeys(range(LAYERS), 1.0))
        q, k, v = (torch.from_numpy(one).to(PLACE) for one in self.inputs(512))
        found, share = attention.oracle(q, k, v, 0.125, threshold=2)
        blocks = torch.arange(512, device=PLACE) // 128
        mask = ((blocks[:, None] == blocks) | (blocks == 0)) & torch.ones(512, 512, dtype=bool, device=PLACE).tril()
        keys, values = (one.repeat_interleave(2, 1) for one in (k, v))
        expected = torch.nn.functional.scaled_dot_product_attention(q, keys, values, mask)
        self.assertTrue(close(found, expected, 1e-4))
        self.assertAlmostEqual(share, 7 / 10)

    def test_rope(self):
        """Past the length of training slow turns are slowed down, fast ones are not."""
        own = self.model.network.model.rotary_emb.inv_freq.clone()
        self.assertFalse(self.model.set_length(TRAINED))
        self.assertTrue(self.model.set_length(4 * TRAINED))
        rotary = self.model.network.model.rotary_emb
        ratio = rotary.inv_freq / own
        self.assertEqual(rotary.attention_scaling, 1.0)
        self.assertAlmostEqual(float(ratio[0]), 1, places=5)
        self.assertAlmostEqual(float(ratio[-1]), 1 / 4, places=5)

    def test_losses(self):
        """By their definition, in double precision."""
        reference, _ = self.hidden()
        states = reference + 0.3 * torch.randn_like(reference)
        places = np.array([[100, 101, 102], [500, 501, 502]])
        self.model.rows = 100
        found = measure.compare(self.model, self.tokens, states, reference, places)

        weights = self.model.network.lm_head.weight.double().cpu().numpy()
        tokens = self.tokens.cpu().numpy()

        def logarithms(some):
            logits = some.double().cpu().numpy() @ weights.T
            logits -= logits.max(-1, keepdims=True)
            return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

        ours, full = logarithms(states), logarithms(reference)
        begin = TRAINED // 8
        rows = np.arange(begin, TRAINED - 1)
        self.assertAlmostEqual(found["cross_entropy"], -ours[rows, tokens[rows + 1]].mean(), places=4)
        self.assertAlmostEqual(found["kl"], (np.exp(full) * (full - ours))[rows].sum(-1).mean(), places=4)
        self.assertAlmostEqual(found["same"], (full.argmax(-1) == ours.argmax(-1))[rows].mean())
        answers = ours[places - 1, tokens[places]]
        ranks = (ours[places - 1] > answers[..., None]).sum(-1) + 1
        self.assertAlmostEqual(found["answers"]["cross_entropy"], -answers.mean(), places=4)
        np.testing.assert_allclose(found["answers"]["by_question"], -answers.mean(1), rtol=1e-3)
        self.assertAlmostEqual(found["answers"]["rank"], ranks.mean())
        self.assertAlmostEqual(found["answers"]["right"], (ranks == 1).all(1).mean())

    def run_over(self, chosen, seconds=None):
        samples = [texts.Sample("code", TRAINED, seed, self.random.integers(VOCABULARY, size=TRAINED), None, "")
                   for seed in (1, 2)]
        options = types.SimpleNamespace(layers=[0, 2], torch_dtype=torch.bfloat16, pbs_device=PBS_DEVICE, points=None,
                                        seconds=seconds)
        run = measure.Run(self.model, options, lambda line: None)
        run.measure(samples, chosen)
        return run

    def test_run(self):
        """A row for each sample, method and value, and one for full attention."""
        run = self.run_over([methods.METHODS[0], FEW])
        expected = [("full", None), ("dense", None), ("few", 1), ("few", 8)]
        self.assertEqual([(row["method"], row["value"], row["seed"]) for row in run.rows],
                         [(*one, seed) for one in expected for seed in (1, 2)])
        self.assertEqual(run.skipped, [])
        self.assertTrue(all(row["kl"] == 0 for row in run.rows if row["method"] == "full"))
        dense, few = run.rows[2], run.rows[4]
        self.assertEqual((len(few["layer_errors"]), len(few["layer_densities"])), (2, 2))
        self.assertLess(few["density"], dense["density"])
        self.assertGreater(few["layer_error"], dense["layer_error"])

    def test_no_time(self):
        run = self.run_over([FEW], seconds=-1)
        self.assertEqual((run.rows, run.skipped), ([], [("512 tokens", "no time left")]))

    def test_unknown_option(self):
        """As where the compiler is older than a method's options."""
        method = methods.Method("new", "new", {"block": 128, "novelty": 1}, "top_p", (0.5,))
        run = self.run_over([method])
        self.assertEqual(run.skipped, [("new", "configure() has no option novelty")])


@unittest.skipIf(REASON, REASON)
class SmolLM2(common.Case):
    def test_2048_tokens(self):
        """Through the command line, in three layers: every block gives full attention's figures, fewer cost a little."""
        try:
            model.find()
        except model.Missing as reason:
            self.skipTest(str(reason))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "report.json")
            done = subprocess.run(
                [sys.executable, RUN, f"--device={DEVICE}", "--lengths=2K", "--texts=facts", "--methods=dense,mean",
                 "--points=1", "--layers=0,10,20", f"--seeds={common.SEED % 1000}", f"--json={path}"],
                capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(path.read_text())
        self.assertIn(f"seeds {common.SEED % 1000}", done.stdout)
        self.assertEqual(result["skipped"], [])
        full, dense, mean = result["rows"]
        # Guessing digits costs ln 10 = 2.3; a model that is put together wrongly does no better.
        self.assertLess(full["answers"]["cross_entropy"], 1.9)
        self.assertLess(dense["kl"], 1e-5)
        self.assertEqual(dense["density"], 1)
        self.assertEqual(result["settings"]["layers"], [0, 10, 20])
        self.assertEqual(len(mean["layer_densities"]), 3)
        self.assertLess(mean["density"], 1)
        self.assertGreater(mean["kl"], dense["kl"])
        self.assertGreater(mean["layer_error"], dense["layer_error"])


if __name__ == "__main__":
    common.main()
