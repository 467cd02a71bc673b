# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gives attention arguments that do not fit, in every way that it can be run.

Each case must end with exit code 1, one line on the standard error that says what is wrong and where, nothing on the
standard output, and no new file. The same holds for pbs-run on the reference, pbs-run on the emulator and pbs-launch.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
import twin
from harness import make_random, random_permutation

BATCH, Q_HEADS, KV_HEADS, QUERIES, KEYS, DEPTH, SEGMENT = 2, 4, 2, 400, 700, 64, 256
INPUTS = ["q", "k", "v", "permutation", "counts", "indices"]


def make_arrays(random):
    geometry = twin.Geometry(QUERIES, KEYS, segment=SEGMENT)
    permutation = random_permutation(random, BATCH, Q_HEADS, KEYS, SEGMENT)
    listed = np.broadcast_to(twin.attendable(geometry, permutation),
                             (BATCH, Q_HEADS, geometry.query_blocks, geometry.key_blocks))
    counts, indices = twin.lists(listed, geometry, permutation)
    floats = {name: random.standard_normal((BATCH, heads, length, DEPTH)).astype(np.float32)
              for name, heads, length in (("q", Q_HEADS, QUERIES), ("k", KV_HEADS, KEYS), ("v", KV_HEADS, KEYS))}
    return {**floats, "permutation": permutation, "counts": counts, "indices": indices}


def changed(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


def array_cases(good):
    """(name, argument to replace, its array, pattern of the message's end)."""
    q, k, permutation, counts, indices = (good[name] for name in ("q", "k", "permutation", "counts", "indices"))
    at = (1, 3)  # batch and head
    first, second = permutation[at][:2]
    swapped = permutation.copy()
    swapped[at][[255, 256]] = swapped[at][[256, 255]]
    moved_tail = permutation.copy()
    moved_tail[at][[600, 601]] = moved_tail[at][[601, 600]]
    whole, masked = counts[1, 3, 2]
    row = (1, 3, 2)
    return [
        ("rank", "q", q[0], r"argument 'q': has rank 3 .*expected rank 4"),
        ("heads", "q", q[:, :3], r"argument 'q': dimension 1 has extent 3, expected 4"),
        ("head dimension", "k", np.repeat(k, 2, axis=3), r"argument 'k': dimension 3 has extent 128, expected 64"),
        ("batch", "k", k[:1], r"argument 'k': dimension 0 has extent 1, expected 2, which is B of argument 'q'.*"),
        ("keys and values", "v", k[:, :, :-1], r"argument 'v': dimension 2 has extent 699, expected 700, .*'k'.*"),
        ("no rows", "q", q[:, :, :0], r"argument 'q': dimension 2 has extent 0, expected at least 1"),
        ("scalar", "v", np.float32(1), r"argument 'v': has rank 0 .*expected rank 4"),
        ("doubles", "q", q.astype(np.float64), r"q.npy: element type '<f8' is not supported.*"),
        ("integers", "q", q.astype(np.int32), r"q.npy: argument 'q' has type bf16, the file holds i32"),
        ("wide permutation", "permutation", permutation.astype(np.int64), r"permutation.npy: element type '<i8' .*"),
        ("big-endian", "q", q.astype(">f4"), r"q.npy: .*'>f4'.*"),
        ("permutation's heads", "permutation", permutation[:, :2],
         r"argument 'permutation': dimension 1 has extent 2.*"),
        ("permutation's length", "permutation", permutation[..., :-1], r"argument 'permutation': dimension 2 .*699.*"),
        ("repeated index", "permutation", changed(permutation, at + (1,), first),
         rf"'permutation': batch 1, head 3, place 1 holds index {first}, expected each index once \(place 0 holds .*"),
        ("crossed segment", "permutation", swapped, r"'permutation': batch 1, head 3, place 255 holds index \d+, .*"),
        ("negative index", "permutation", changed(permutation, at + (5,), -1),
         r"batch 1, head 3, place 5 holds index -1.*"),
        ("huge index", "permutation", changed(permutation, at + (5,), 2**31 - 1), r"place 5 holds index 2147483647.*"),
        ("moved tail", "permutation", moved_tail,
         r"'permutation': batch 1, head 3, place 600 holds index 601, expected 600.*"),
        ("negative count", "counts", changed(counts, row, [-1, 2]),
         r"'counts': batch 1, head 3, query block 2: .*-1.*"),
        ("large count", "counts", changed(counts, row, [5, 2]),
         r"'counts': batch 1, head 3, query block 2: .*at most 6.*"),
        ("sum beyond 32 bits", "counts", changed(counts, row, [2**31 - 1, 2**31 - 1]),
         r"'counts': batch 1, head 3, .*"),
        ("filler counted", "counts", changed(counts, (0, 0, 0), [counts[0, 0, 0, 0], 6 - counts[0, 0, 0, 0]]),
         r"'indices': batch 0, head 0, query block 0: entry \d is block 65535, expected one below 6"),
        ("count cuts the list", "counts", changed(counts, row, [whole, masked - 1]),
         r"'indices': batch 1, head 3, query block 2: entry \d is block \d, expected 65535 beyond .*"),
        ("masked called whole", "counts", changed(counts, (1, 3, 3), [counts[1, 3, 3].sum(), 0]),
         r"batch 1, head 3, query block 3: .*"),
        ("short last block called whole", "counts", changed(counts, (0, 0, 3), [1, 0]),
         r"'indices': batch 0, head 0, query block 3: entry \d is block \d, expected .*"),
        ("counts of too few query blocks", "counts", counts[:, :, :-1],
         r"'counts': dimension 2 has extent 3, expected 4.*"),
        ("indices of too few query blocks", "indices", indices[:, :, :-1], r"'indices': dimension 2 has extent 3.*"),
        ("indices' type", "indices", indices.astype(np.int32), r"indices.npy: argument 'indices' has type u16, .*i32"),
        ("unsorted", "indices", changed(indices, row, indices[row][[1, 0, 2, 3, 4, 5]]),
         r"'indices': batch 1, head 3, query block 2: entry 1 is block \d, expected more than \d, the entry before it"),
        ("twice in a row", "indices", changed(indices, row + (1,), indices[row + (0,)]),
         r"query block 2: entry 1 is block \d, .*"),
        ("block out of range", "indices", changed(indices, row + (whole + masked - 1,), 6),
         r"'indices': batch 1, head 3, query block 2: entry \d is block 6, expected one below 6"),
        ("filler inside the list", "indices", changed(indices, row + (0,), 65535),
         r"entry 0 is block 65535, expected .*"),
    ]


def file_cases(folder, good):
    """(name, argument to replace, its place, pattern of the message's end)."""
    whole = (folder / "q.npy").read_bytes()
    tensors = {"cut.npy": whole[:-7], "empty.npy": b"", "header.npy": whole[:20], "text.npy": b"hello, world\n" * 20,
               "long.npy": whole + b"\0"}
    header = b'{"q":{"dtype":"F32","shape":[2,4,400,64],"data_offsets":[0,819200]}}'
    data = good["q"].tobytes()
    tensors["whole.safetensors"] = len(header).to_bytes(8, "little") + header + data
    tensors["cut.safetensors"] = tensors["whole.safetensors"][:-4]
    tensors["header.safetensors"] = len(header).to_bytes(8, "little") + header[:30]
    tensors["huge.safetensors"] = (2**63).to_bytes(8, "little") + header
    tensors["json.safetensors"] = len(header).to_bytes(8, "little") + header.replace(b"}", b"]") + data
    for name, content in tensors.items():
        (folder / name).write_bytes(content)
    (folder / "folder.npy").mkdir()
    return [(place, "q", place, pattern) for place, pattern in [
        ("missing.npy", r"missing.npy: No such file or directory|missing.npy: cannot .*"),
        ("missing.safetensors:q", r"missing.safetensors: .*"),
        ("folder.npy", r"folder.npy: .*"),
        ("cut.npy", r"cut.npy: shape \(2, 4, 400, 64\) of f32 needs 819200 bytes of data, the file has 819193"),
        ("long.npy", r"long.npy: .*819201"),
        ("empty.npy", r"empty.npy: .*"),
        ("header.npy", r"header.npy: .*"),
        ("text.npy", r"text.npy: .*"),
        ("cut.safetensors:q", r"cut.safetensors: .*"),
        ("header.safetensors:q", r"header.safetensors: .*"),
        ("huge.safetensors:q", r"huge.safetensors: .*"),
        ("json.safetensors:q", r"json.safetensors: .*"),
        ("whole.safetensors:k", r"whole.safetensors: .*'k'.*"),
        ("whole.safetensors", r"whole.safetensors: which tensor\? .*"),
        ("q.txt", r"q.txt: neither FILE.npy nor FILE.safetensors:NAME"),
    ]]


def option_cases():
    """(name, number of inputs, other options, pattern of the message's end)."""
    results = ["--result=new.npy", "--result=lse.npy"]
    return [
        ("too few inputs", 5, results, r"takes 6 inputs \(q, k, v, permutation, counts, indices\), found 5 --arg"),
        ("too many inputs", 7, results, r"takes 6 inputs .*found 7 --arg"),
        ("too many results", 6, [*results, "--result=third.npy"], r".*3.*2.*|.*2.*3.*"),
        ("result twice", 6, ["--result=new.npy", "--result=new.npy"], r"new.npy: named twice as a result"),
        ("result's folder", 6, ["--result=new.npy", "--result=nowhere/lse.npy"],
         r"nowhere/lse.npy: .*No such file or directory"),
        ("result is a folder", 6, ["--result=new.npy", "--result=folder.npy"], r"folder.npy: is a folder"),
        ("result's kind", 6, ["--result=new.npy", "--result=lse.txt"], r"lse.txt: neither FILE.npy nor .*"),
        ("result in broken safetensors", 6, ["--result=new.npy", "--result=json.safetensors:lse"],
         r"json.safetensors: .*"),
        ("entry", 6, ["--entry=decode", *results], r".*'decode'.*prefill.*"),
        ("device", 6, ["--device=gpu", *results], r"('gpu': no such device, |--device=gpu: )expected .*"),
        ("CUDA device", 6, ["--device=cuda:999999", *results], r"(no NVIDIA driver: |cuda:999999: there ).*"),
    ]


class Checker:
    def __init__(self, folder):
        self.folder = folder
        self.failures = []
        self.files = self.list_files()
        self.count = 0

    def list_files(self):
        return sorted(str(path) for path in self.folder.rglob("*"))

    def check(self, command, name, pattern):
        self.count += 1
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        faults = []
        if done.returncode != 1:
            faults.append(f"exit code {done.returncode}, expected 1")
        # Where arguments are not what the entry takes, both stand beside each other.
        beside = r"; q bf16 \(B, 4, Nq, 64\) = .*"
        line = rf"{command[0]}: (entry 'prefill'(, |: |, argument )?)?.*({pattern})({beside})?\n"
        if not re.fullmatch(line, done.stderr):
            faults.append(f"expected one line such as {pattern!r}")
        if done.stdout:
            faults.append(f"standard output {done.stdout!r}")
        files = self.list_files()
        if files != self.files:
            faults.append(f"wrote {sorted(set(files) - set(self.files))}")
            for path in set(files) - set(self.files):
                pathlib.Path(path).unlink()
        if faults:
            self.failures.append(f"{' '.join(command[:3])}, {name}: {'; '.join(faults)}; found {done.stderr!r}")


def main():
    good = make_arrays(make_random())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for argument, array in good.items():
            np.save(folder / f"{argument}.npy", array)
        module = subprocess.run(["pbs-gen", "--stages=attention", f"--q-heads={Q_HEADS}", f"--kv-heads={KV_HEADS}",
                                 f"--head-dim={DEPTH}", f"--segment={SEGMENT}"], check=True, capture_output=True).stdout
        (folder / "attention.mlir").write_bytes(module)
        subprocess.run(["pbs-compile", "attention.mlir", "-o", "attention.ptx"], cwd=folder, check=True)
        tools = [["pbs-run", "attention.mlir", "--device=reference"],
                 ["pbs-run", "attention.mlir", "--device=emulator"],
                 ["pbs-launch", "attention.plan.json"]]
        inputs = [f"--arg={argument}.npy" for argument in INPUTS]
        results = ["--result=new.npy", "--result=lse.npy"]
        # What is refused below is refused for its fault alone.
        for tool in tools:
            subprocess.run([*tool, *inputs, *results], cwd=folder, check=True)
            for result in ("new.npy", "lse.npy"):
                (folder / result).unlink()

        files = file_cases(folder, good)
        arrays = array_cases(good)
        (folder / "bad").mkdir()
        long = np.concatenate([good["q"], good["q"]], axis=2)
        np.save(folder / "bad" / "long.npy", long)
        for number, (_, argument, array, _) in enumerate(arrays):
            (folder / "bad" / str(number)).mkdir()
            np.save(folder / "bad" / str(number) / f"{argument}.npy", array)
        checker = Checker(folder)
        for tool in tools:
            for number, (case, argument, _, pattern) in enumerate(arrays):
                places = [f"--arg=bad/{number}/{name}.npy" if name == argument else f"--arg={name}.npy"
                          for name in INPUTS]
                checker.check([*tool, *places, *results], case, pattern)
            for case, argument, place, pattern in files:
                places = [f"--arg={place}" if name == argument else f"--arg={name}.npy" for name in INPUTS]
                checker.check([*tool, *places, *results], case, pattern)
            for case, count, options, pattern in option_cases():
                # A later --device would be one too many.
                given = any(option.startswith("--device") for option in options)
                command = [part for part in tool if not given or not part.startswith("--device")]
                checker.check([*command, *[*inputs, "--arg=q.npy"][:count], *options], case, pattern)
            checker.check([*tool, "--arg=bad/long.npy", *inputs[1:], *results], "more queries than keys",
                          r".*Nq is at most Nkv.*|.*argument 'counts'.*")
    print("\n".join(checker.failures))
    print(f"{checker.count} refusals, {len(checker.failures)} not as they should be")
    sys.exit(1 if checker.failures else 0)


if __name__ == "__main__":
    main()
