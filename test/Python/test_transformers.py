# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small random models of transformers with attention "pbs", against their own attention."""
import copy
import logging
import os
import re
import unittest
import unittest.mock

import common
from common import DEVICE, ON_GPU, pbs

REASON = common.missing("torch") or common.missing("transformers")
if REASON is None:
    import torch
    import transformers
    import pbs.transformers

PLACE = "cuda" if ON_GPU else "cpu"
MODEL = {"vocab_size": 100, "hidden_size": 256, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 64, "initializer_range": 0.1, "pad_token_id": 0, "eos_token_id": None,
         "bos_token_id": None}


@unittest.skipIf(REASON, REASON)
class Case(common.Case):
    def setUp(self):
        super().setUp()
        torch.manual_seed(int(self.random.integers(2**31)))
        pbs.transformers.configure(all=True, device=None if ON_GPU else DEVICE)
        pbs.transformers.statistics(reset=True)
        guard = torch.no_grad()
        guard.__enter__()
        self.addCleanup(guard.__exit__, None, None, None)

    def model(self, kind="Llama", dtype=None, **options):
        config = getattr(transformers, f"{kind}Config")(**{**MODEL, **options})
        config._attn_implementation = "eager"
        return getattr(transformers, f"{kind}ForCausalLM")(config).to(PLACE, dtype or torch.bfloat16).eval()

    def ids(self, length, batch=1):
        return torch.randint(1, 100, (batch, length), device=PLACE)

    def compare(self, model, ids, expected, **options):
        """Logits with "pbs" are as near to eager's in float32 as eager's in the model's type; what ran is `expected`."""
        model.set_attn_implementation("eager")
        own = model(ids, **options).logits.float()
        exact = model.float()(ids, **options).logits
        model.to(torch.bfloat16)
        own_error = (own - exact).norm() / exact.norm()
        model.set_attn_implementation("pbs")
        pbs.transformers.statistics(reset=True)
        found = model(ids, **options).logits.float()
        self.assertEqual(pbs.transformers.statistics(), expected)
        error = (found - exact).norm() / exact.norm()
        self.assertLess(float(error), 1.25 * float(own_error) + 1e-3, f"eager itself: {float(own_error)}")


class Prefill(Case):
    def test_llama(self):
        self.compare(self.model(), self.ids(300, 2), {"pbs": 2, "fallback": {}})

    def test_mask_of_ones(self):
        ids = self.ids(300, 2)
        self.compare(self.model(), ids, {"pbs": 2, "fallback": {}}, attention_mask=torch.ones_like(ids))

    def test_loaded_in_one_line(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            self.model().save_pretrained(folder)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="pbs",
                                                                      dtype=torch.bfloat16).to(PLACE)
        model(self.ids(100))
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 2, "fallback": {}})

    def test_sliding_window(self):
        """The window is longer than none, shorter than the prompt: a mask is never made."""
        model = self.model("Mistral", sliding_window=100)
        self.compare(model, self.ids(300), {"pbs": 2, "fallback": {}})

    def test_soft_cap_and_windows_by_layer(self):
        model = self.model("Gemma2", sliding_window=100, attn_logit_softcapping=5.0, query_pre_attn_scalar=32)
        self.assertEqual(model.config.layer_types, ["sliding_attention", "full_attention"])
        self.compare(model, self.ids(300), {"pbs": 2, "fallback": {}})

    def test_window_that_layers_ignore(self):
        """Moshi's configuration has a window, and its layers attend all keys: with none to tell, its mask is used."""
        model = self.model("Moshi", sliding_window=100, ffn_dim=128, audio_vocab_size=10, max_position_embeddings=500)
        ids = self.ids(90)
        logits = []
        for own in ("eager", "sdpa"):
            model.set_attn_implementation(own)
            logits.append(model(ids).logits.float())
        if float((logits[0] - logits[1]).norm()) > 0.1 * float(logits[0].norm()):
            self.skipTest(f"Moshi's own eager and sdpa attention disagree in transformers {transformers.__version__}")
        self.compare(model, ids, {"pbs": 2, "fallback": {}})
        self.compare(model, self.ids(300), {"pbs": 0, "fallback": {"attention mask": 2}})

    def test_compiled(self):
        model = self.model()
        model.set_attn_implementation("pbs")
        torch._dynamo.reset()
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        for length in (100, 160):
            ids = self.ids(length)
            self.assertTrue(torch.equal(compiled(ids).logits, model(ids).logits))


class Example(Case):
    def test_llama(self):
        """examples/python/llama.py, whose eager and PBS runs agree."""
        code = (common.SOURCE / "examples" / "python" / "llama.py").read_text()
        done = common.run_python(code)
        self.assertEqual(done.returncode, 0, done.stderr)
        difference = float(re.search("logits differ by (.*) of their norm", done.stdout)[1])
        self.assertLess(difference, 0.05)
        self.assertIn("what ran: {'pbs': 4, 'fallback': {'decode step': 14}}", done.stdout)


class Density(Case):
    def test_of_each_layer(self):
        self.check_each_layer({"top_p": 0.6, "segment": 128, "block": 64, "query_block": 128}, segment=128)

    def test_of_a_method(self):
        self.check_each_layer({"method": "rows", "threshold_by_length": 0.6}, segment=64)

    def check_each_layer(self, options, segment):
        """Of two calls of unlike lengths, the second a later chunk; by the kernel's own lists and the twin's geometry."""
        kernel = pbs.compile(**common.HEADS, **options, return_selection=True, device=DEVICE)
        pbs.transformers.configure(**options, density=True, device=None if ON_GPU else DEVICE)
        listed, reachable = {}, {}
        for layer, queries, keys in ((0, 700, 700), (3, 500, 500), (0, 260, 900)):
            module = torch.nn.Module().eval()
            module.layer_idx = layer
            q, k, v = (torch.from_numpy(x).to(PLACE, torch.bfloat16) for x in self.inputs(queries, keys, batch=2))
            expected = kernel(q, k, v)
            found, _ = pbs.transformers.attention(module, q, k, v, None)
            self.assertTrue(torch.equal(found.transpose(1, 2), expected[0]))
            geometry = common.twin.Geometry(queries, keys, 128, 64, segment)
            listed[layer] = listed.get(layer, 0) + int(expected[2].sum())
            reachable[layer] = reachable.get(layer, 0) + 2 * 4 * int(geometry.reachable().sum())
        density = pbs.transformers.statistics(reset=True)["density"]
        self.assertEqual(density, {layer: listed[layer] / reachable[layer] for layer in listed})
        self.assertTrue(all(0 < share < 1 for share in density.values()), density)
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 0, "fallback": {}, "density": {}})

    def test_with_a_limit(self):
        """The number of query blocks that the limit cut is a result too."""
        pbs.transformers.configure(top_p=0.9, capacity=6, density=True, device=None if ON_GPU else DEVICE)
        model = self.model()
        model.set_attn_implementation("pbs")
        model(self.ids(300))
        self.assertEqual(sorted(pbs.transformers.statistics()["density"]), [0, 1])

    def test_compiled(self):
        """Compiled calls have none, and no graph break because of it."""
        pbs.transformers.configure(all=True, density=True, device=None if ON_GPU else DEVICE)
        model = self.model()
        model.set_attn_implementation("pbs")
        torch._dynamo.reset()
        torch.compile(model, fullgraph=True, backend="aot_eager")(self.ids(300))
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 2, "fallback": {}, "density": {}})


class Generate(Case):
    def check(self, expected, kind="Llama", batch=2, length=200, masked=False, model={}, **options):
        model = self.model(kind, **model)
        ids = self.ids(length, batch)
        mask = torch.ones_like(ids)
        if masked:
            mask[0, :7] = 0
        options = {"attention_mask": mask, "max_new_tokens": 6, "do_sample": False, **options}
        model.set_attn_implementation("pbs")
        pbs.transformers.statistics(reset=True)
        found = model.generate(ids, **options)
        self.assertEqual(pbs.transformers.statistics(), expected)
        # Rounding may decide between tokens that are nearly as good: by float32 logits, none is worse than the best by more
        # than two logits of eager attention in the model's type are off.
        model.set_attn_implementation("eager")
        own, exact = (one(found, attention_mask=torch.cat([mask, mask.new_ones(batch, 6)], 1)).logits.float()
                      for one in (model, copy.deepcopy(model).float()))
        rows = mask.bool() if masked else slice(None)
        noise = (own - exact)[:, :length][rows].abs().max()
        exact = exact[:, length - 1 : -1]
        chosen = exact.gather(2, found[:, length:, None])[..., 0]
        behind = exact.amax(2) - chosen
        self.assertLessEqual(float(behind.max()), float(2 * noise))

    def test_llama(self):
        self.check({"pbs": 2, "fallback": {"decode step": 10}})

    def test_sliding_window(self):
        self.check({"pbs": 2, "fallback": {"decode step": 10}}, "Mistral", model={"sliding_window": 64})

    def test_soft_cap(self):
        self.check({"pbs": 2, "fallback": {"decode step": 10}}, "Gemma2",
                   model={"sliding_window": 64, "attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 32})

    def test_chunks(self):
        """The second and third chunk have fewer queries than keys."""
        self.check({"pbs": 6, "fallback": {"decode step": 10}}, prefill_chunk_size=80)

    def test_chunks_and_window(self):
        self.check({"pbs": 6, "fallback": {"decode step": 10}}, "Mistral", model={"sliding_window": 64},
                   prefill_chunk_size=80)

    def test_chunks_that_fall_back(self):
        """sdpa takes queries for the first ones of the keys where it gets no mask."""
        for fallback in ("sdpa", "eager"):
            pbs.transformers.configure(all=True, fallback=fallback)
            self.check({"pbs": 0, "fallback": {"head dimension 32": 6, "decode step": 10}}, model={"head_dim": 32},
                       prefill_chunk_size=80)

    def test_padding(self):
        self.check({"pbs": 0, "fallback": {"attention mask": 2, "decode step": 10}}, masked=True)

    def test_static_cache(self):
        self.check({"pbs": 0, "fallback": {"attention mask": 2, "decode step": 10}}, cache_implementation="static",
                   disable_compile=True)  # compiled, a step counts when it is traced

    def test_eager_fallback(self):
        pbs.transformers.configure(all=True, device=None if ON_GPU else DEVICE, fallback="eager")
        self.check({"pbs": 0, "fallback": {"attention mask": 2, "decode step": 10}}, masked=True)
        self.check({"pbs": 2, "fallback": {"decode step": 10}}, "Mistral", model={"sliding_window": 64})


class Fallback(Case):
    """Each falls back with its reason, and computes what eager attention does."""

    def refused(self, reason, calls=2, run=None, **options):
        model = self.model(**options)
        run = run or (lambda model, ids: model(ids).logits)
        ids = self.ids(150, 2)
        model.set_attn_implementation("pbs")
        pbs.transformers.statistics(reset=True)
        found = run(model, ids)
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 0, "fallback": {reason: calls}})
        model.set_attn_implementation("eager")
        expected = run(model, ids)
        self.assertLess(float((found.float() - expected.float()).norm() / expected.float().norm()), 0.05)

    def test_dtype(self):
        self.refused("dtype torch.float32", dtype=torch.float32)

    def test_head_dim(self):
        self.refused("head dimension 32", head_dim=32)

    def test_window_of_another_head_dim(self):
        """The mask that was left away is made for sdpa."""
        self.refused("head dimension 32", head_dim=32, kind="Mistral", sliding_window=40)

    def test_padding(self):
        mask = torch.ones(2, 150, dtype=torch.long, device=PLACE)
        mask[1, :20] = 0
        self.refused("attention mask", run=lambda model, ids: model(ids, attention_mask=mask).logits[0])

    def test_few_queries(self):
        """Of a second turn over a cache, as of guessed tokens that are verified."""
        def run(model, ids):
            cache = model(ids[:, :120], use_cache=True).past_key_values
            pbs.transformers.statistics(reset=True)
            return model(ids[:, 120:135], past_key_values=cache).logits

        self.refused("few queries", run=run)

    def test_storage_offset(self):
        q, k, v = (torch.zeros(heads * 40 * 64 + 4, device=PLACE, dtype=torch.bfloat16)[4:].view(1, heads, 40, 64)
                   for heads in (4, 2, 2))
        reason = pbs.transformers._why_not(torch.nn.Module().eval(), q, k, v, None, 0.0, {})
        self.assertEqual(reason, "alignment")

    def test_packed_sequences(self):
        positions = torch.cat([torch.arange(100), torch.arange(50)])[None].to(PLACE)
        self.refused("attention mask", run=lambda model, ids: model(ids, position_ids=positions, use_cache=False).logits)

    def test_gradients(self):
        with torch.enable_grad():
            self.refused("gradients", run=lambda model, ids: model(ids).logits.detach())

    def test_reentrant_checkpointing(self):
        """Layers run without gradients first, and again with them: both times by the same attention."""
        model = self.model().train()
        model.gradient_checkpointing_enable({"use_reentrant": True})
        model.set_attn_implementation("pbs")
        with torch.enable_grad():
            model(self.ids(50)).logits.sum().backward()
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 0, "fallback": {"training mode": 2, "gradients": 2}})

    def test_forward_mode(self):
        def tangent(model, ids):
            embedded = model.get_input_embeddings()(ids)
            return torch.func.jvp(lambda x: model(inputs_embeds=x, use_cache=False).logits, (embedded,), (embedded,))[1]
        pbs.transformers.configure(all=True, device=None if ON_GPU else DEVICE, fallback="eager")
        self.refused("gradients", run=tangent)

    def test_output_attentions(self):
        """The weights are there, as the model's own attention gives them."""
        self.refused("output_attentions", run=lambda model, ids: model(ids, output_attentions=True).attentions[0])

    def test_sinks(self):
        reason = "argument s_aux"
        self.refused(reason, kind="GptOss", sliding_window=64, num_local_experts=2, num_experts_per_tok=1)

    def test_dropout(self):
        model = self.model(attention_dropout=0.5).train()
        model.set_attn_implementation("pbs")
        with torch.enable_grad():
            model(self.ids(50))
        self.assertEqual(pbs.transformers.statistics(), {"pbs": 0, "fallback": {"dropout": 2}})

    @unittest.skipIf(ON_GPU or os.environ.get("PBS_DEVICE"), "models on the CPU fall back where no device is named")
    def test_cpu(self):
        pbs.transformers.configure(all=True)
        self.refused("tensors on cpu")

    def test_said_once(self):
        pbs.transformers._said.clear()
        model = self.model(head_dim=32)
        model.set_attn_implementation("pbs")
        with self.assertLogs("pbs.transformers", logging.WARNING) as log:
            model(self.ids(50))
            model(self.ids(60))
        self.assertEqual(log.output, ["WARNING:pbs.transformers:not PBS, but transformers' own attention: head dimension 32"])

    def test_options_that_change_meanwhile(self):
        """The kernel of the options before is not the one of those after, whichever ends first."""
        model = self.model()
        model.set_attn_implementation("pbs")
        original = pbs.compile

        def change(**options):
            asked.append(options["segment"])
            pbs.transformers.configure(all=True, segment=512, device=None if ON_GPU else DEVICE)
            return original(**options)

        pbs.transformers.configure(all=True, segment=1024, device=None if ON_GPU else DEVICE)
        asked = []
        with unittest.mock.patch.object(pbs, "compile", change):
            model(self.ids(50))
        self.assertEqual(asked, [1024, 512])

    def test_options(self):
        with self.assertRaisesRegex(TypeError, "configure\\(\\) has no option blocks"):
            pbs.transformers.configure(blocks=64)
        with self.assertRaisesRegex(ValueError, 'fallback must be "sdpa" or "eager"'):
            pbs.transformers.configure(fallback="flash")


if __name__ == "__main__":
    common.main()
