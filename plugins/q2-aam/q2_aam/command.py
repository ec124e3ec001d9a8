"""Building and running command lines of `aam`; knows nothing of QIIME 2."""

import os
import shutil
import subprocess

# What a run needs to be used again, and what its report shows.
RUN_FILES = ("run.json", "config.json", "summary.json", "history.json", "train_sample_ids.txt", "val_sample_ids.txt")
CHECKPOINT = os.path.join("checkpoints", "best.safetensors")
REPORT = "report.html"


def program():
    """The path of `aam`: what the variable AAM names, or the first on the PATH."""
    named = os.environ.get("AAM", "aam")
    found = shutil.which(named)
    if found is None:
        raise RuntimeError(
            f"The command {named!r} is not there; install Attention All Microbes on Bun, or name its script `aam` in "
            "the environment variable AAM."
        )
    return found


def arguments(name, **options):
    """The words of a command line; options are left out where they are None or False, and stand alone where True."""
    words = [name]
    for option, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + option.replace("_", "-"))
        if value is not True:
            words.append(str(value))
    return words


def run(words, folder):
    """Runs `aam` in `folder`; what it says goes to the log. A failure is an error with its last lines."""
    print("aam " + " ".join(words), flush=True)
    done = subprocess.run([program(), *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise RuntimeError("\n".join(lines[-3:]) or f"aam {words[0]} ended with {done.returncode} and said nothing.")


def keep_run(run_folder, kept):
    """Copies what a model needs of a run, and its report."""
    for name in (*RUN_FILES, REPORT, CHECKPOINT):
        target = os.path.join(kept, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(run_folder, name), target)
