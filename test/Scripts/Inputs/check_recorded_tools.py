# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Records an integration test and single calls of the tools, and plays them back without the compiler."""
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(sys.argv[1])
SEED = os.environ.get("PBS_SEED", str(secrets.randbits(32)))
BUNDLE_SCRIPTS = SOURCE / "scripts" / "gpu_bundle"


def run(*command, check=True, **options):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **options)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def integration(folder, environment):
    outcome = folder / "outcome.json"
    done = run(sys.executable, BUNDLE_SCRIPTS / "run_integration.py", f"--seed={SEED}", f"--json={outcome}",
               "--only=^(attention-single-key|strategies)$", env=environment, check=False)
    results = json.loads(outcome.read_text())
    assert done.returncode == 0 and len(results) == 2 and all(result["passed"] for result in results), done.stdout


def main():
    print(f"seed {SEED}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run(sys.executable, BUNDLE_SCRIPTS / "recorded_tools.py", folder / "bin")
        (folder / "bin" / "real").mkdir()
        shutil.copy(BUILD / "bin" / "pbs-launch", folder / "bin" / "real")
        system = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != str(BUILD / "bin"))
        play = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{system}", "PBS_TEST_DEVICE": "emulator"}
        record = {**play, "PBS_RECORD": str(folder / "recorded"), "PBS_RECORD_TOOLS": str(BUILD / "bin"),
                  "PBS_RECORD_CHIPS": "sm_80 sm_90a"}

        integration(folder, record)
        integration(folder, play)
        # It was the launcher beside the tools that ran the kernels.
        (folder / "bin" / "real" / "pbs-launch").rename(folder / "launcher")
        done = run(sys.executable, BUNDLE_SCRIPTS / "run_integration.py", f"--seed={SEED}", "--only=^attention-single-key$",
                   env=play, check=False)
        assert done.returncode == 1 and "pbs-launch" in done.stdout, done.stdout

        module = run("pbs-gen", "--q-heads=2", "--kv-heads=1", env=record).stdout
        assert run("pbs-gen", "--q-heads=2", "--kv-heads=1", env=play).stdout == module
        for environment, chips in ((record, ["sm_90a"]), (play, ["sm_90a", "sm_80"])):
            for chip in chips:
                place = folder / f"{'played' if environment is play else 'recorded'}-{chip}"
                place.mkdir()
                run("pbs-compile", "-", "-o", place / "k.ptx", f"--chip={chip}", input=module, env=environment)
                text = (place / "k.ptx").read_text()
                assert f".target {chip}" in text and json.loads((place / "k.plan.json").read_text())["module"]["chip"] == chip
        assert (folder / "played-sm_90a/k.ptx").read_bytes() == (folder / "recorded-sm_90a/k.ptx").read_bytes()

        failed = [run("pbs-gen", "--q-heads=3", "--kv-heads=2", env=environment, check=False) for environment in (record, play)]
        assert failed[0].returncode == failed[1].returncode == 1 and failed[0].stderr == failed[1].stderr != ""
        unknown = run("pbs-gen", "--q-heads=7", "--kv-heads=7", env=play, check=False)
        assert unknown.returncode == 1 and unknown.stderr.startswith("not recorded: pbs-gen"), unknown.stderr


if __name__ == "__main__":
    main()
