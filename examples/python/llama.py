# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small Llama of random weights: logits and tokens with attention "pbs" at p = 1 and with its own eager attention.

    python3 llama.py            # on a GPU if there is one, else on the emulator
"""
import time

import torch
import transformers

import pbs.transformers


def main():
    on_gpu = torch.cuda.is_available()
    place, length = ("cuda", 4096) if on_gpu else ("cpu", 600)
    # At p = 1 every block is computed; 0.9 is what makes long prompts fast.
    pbs.transformers.configure(top_p=1.0, device=None if on_gpu else "emulator")
    config = transformers.LlamaConfig(vocab_size=1000, hidden_size=512, intermediate_size=1024, num_hidden_layers=2,
                                      num_attention_heads=8, num_key_value_heads=2, head_dim=64,
                                      max_position_embeddings=8192)
    model = transformers.LlamaForCausalLM(config).to(place, torch.bfloat16).eval()
    tokens = torch.randint(config.vocab_size, (1, length), device=place)
    options = {"attention_mask": torch.ones_like(tokens), "max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}

    results = {}
    for name in ("eager", "pbs"):
        model.set_attn_implementation(name)
        start = time.monotonic()
        with torch.no_grad():
            results[name] = model(tokens).logits.float(), model.generate(tokens, **options)[0, length:].tolist()
        print(f"{name}: {time.monotonic() - start:.2f} s, compiling included; continues with {results[name][1]}")
    (expected, _), (found, _) = results["eager"], results["pbs"]
    print(f"logits differ by {float((found - expected).norm() / expected.norm()):.1e} of their norm")
    print("what ran:", pbs.transformers.statistics())


if __name__ == "__main__":
    main()
