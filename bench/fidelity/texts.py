# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the model reads: long real texts from Debian's packages, a list of facts with questions, and needles in prose.

A Sample is one sequence of tokens. Where it is taken from, and what a made one says, depends on its text, its length and its
seed alone (and on the version of the package, hence the digest of its tokens in reports).
"""
import dataclasses
import gzip
import hashlib
import html.parser
import json
import pathlib
import re
import sysconfig

import numpy as np

from .model import Missing

HANDBOOK = pathlib.Path("/usr/share/doc/debian-handbook/html/en-US")
JARGON = pathlib.Path("/usr/share/doc/jargon-text/jargon.txt.gz")
# Texts that are there to be predicted, and those with answers to find.
READ = ("prose", "code", "jargon")
ASKED = ("facts", "needle")
NAMES = READ + ASKED
QUESTIONS = {"facts": 40, "needle": 10}
DIGITS = 3


@dataclasses.dataclass(frozen=True)
class Sample:
    """tokens (N), int64; answers (questions, digits), the positions of the answers' digits, or None; source, in words."""

    text: str
    length: int
    seed: int
    tokens: np.ndarray
    answers: np.ndarray | None
    source: str

    def describe(self):
        return {"text": self.text, "length": self.length, "seed": self.seed, "source": self.source,
                "questions": 0 if self.answers is None else len(self.answers),
                "sha256": hashlib.sha256(self.tokens.astype("<i8").tobytes()).hexdigest()}


class _Prose(html.parser.HTMLParser):
    """The running text of a page: no menus, no listings."""

    LEFT_OUT = ("head", "script", "style", "pre")
    LINES = ("p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd")

    def __init__(self):
        super().__init__()
        self.pieces = []
        self.outer, self.depth = None, 0  # the outermost element that is left out, and how many of its kind are open

    def handle_starttag(self, tag, attributes):
        is_menu = tag == "ul" and "docnav" in (dict(attributes).get("class") or "")
        if not self.depth and (tag in self.LEFT_OUT or is_menu):
            self.outer = tag
        if tag == self.outer:
            self.depth += 1

    def handle_endtag(self, tag):
        if tag == self.outer:
            self.depth -= 1
            self.outer = self.outer if self.depth else None
        elif tag in self.LINES:
            self.pieces.append("\n")

    def handle_data(self, data):
        if not self.depth:
            self.pieces.append(data.replace("\n", " "))

    def text(self):
        text = re.sub(r"[ \t\xa0]+", " ", "".join(self.pieces))
        return re.sub(r"\s*\n\s*", "\n\n", text).strip()


def _handbook():
    """The Debian Administrator's Handbook, its pages in the order of its table of contents."""
    index = HANDBOOK / "index.html"
    if not index.exists():
        raise Missing("no Debian package debian-handbook (35 MB, GPL-2+ or CC-BY-SA-3.0)")
    pages = []
    for name in dict.fromkeys(re.findall(r'href="([^"#/:]+\.html)', index.read_text(encoding="utf-8"))):
        if name != "index.html" and (HANDBOOK / name).exists():
            page = _Prose()
            page.feed((HANDBOOK / name).read_text(encoding="utf-8"))
            page.close()
            pages.append(page.text())
    return "\n\n".join(pages), "debian-handbook"


def _library():
    """Modules of CPython's library of 8 KiB and more, one after the other, each after its name."""
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    modules = [path for path in sorted(folder.glob("*.py"))
               if path.stat().st_size >= 8 << 10 and not path.name.startswith("_sysconfigdata")]
    if not modules:
        raise Missing(f"{folder} has no sources of Python's library")
    text = "\n".join(f"# {path.name}\n{path.read_text(encoding='utf-8', errors='replace')}" for path in modules)
    return text, f"library of CPython {sysconfig.get_python_version()}"


def _jargon():
    """The Jargon File, runs of spaces as one."""
    if not JARGON.exists():
        raise Missing("no Debian package jargon-text (0.7 MB, public domain)")
    text = gzip.decompress(JARGON.read_bytes()).decode("utf-8", errors="replace")
    return re.sub(r"[ \t]+", " ", text), "jargon-text"


_SOURCES = {"prose": _handbook, "code": _library, "jargon": _jargon}


def _random(text, length, seed):
    return np.random.default_rng([seed, length, *text.encode()])


def _window(encode, text, source, length, random):
    """`length` tokens of a text from a line that is drawn at random on; and where that is, in characters."""
    room = length * 8  # a token has fewer characters than that
    start = int(random.random() * max(0, len(text) - room))
    start = text.find("\n", start) + 1
    tokens = encode(text[start : start + room])
    if len(tokens) < length:
        raise Missing(f"{source} has no {length} tokens")
    return tokens[:length], start


def _words(random):
    """Names that no text has, such as Bofuri, without repetition."""
    consonants, vowels = list("bdfgklmnprstvz"), list("aeiou")
    seen = set()
    while True:
        word = "".join(random.choice(consonants) + random.choice(vowels) for _ in range(3)).capitalize()
        if word not in seen:
            seen.add(word)
            yield word


class _Facts:
    """Sentences that say a number, and where in their tokens its digits are."""

    def __init__(self, encode, random):
        self.encode, self.random = encode, random
        self.words = _words(random)
        self.digits = {encode(str(digit))[0] for digit in range(10)}

    def draw(self):
        """The tokens of a new sentence."""
        number = "".join(str(self.random.integers(10)) for _ in range(DIGITS))
        return self.encode(f"The number of {next(self.words)} is {number}.\n")

    def places(self, tokens):
        return [place for place, token in enumerate(tokens) if token in self.digits]


def _ask(facts, tokens, asked):
    """Appends sentences that were said before; the positions of their digits (questions, DIGITS)."""
    answers = []
    for sentence in asked:
        answers.append([len(tokens) + place for place in facts.places(sentence)])
        tokens += sentence
    return np.array(answers)


def make_facts(encode, length, random, questions=QUESTIONS["facts"]):
    """A list of facts and, at its end, some of them again: (tokens, answers). What is asked is anywhere in the list."""
    facts = _Facts(encode, random)
    start, middle = encode("Here is the list of all numbers.\n\n"), encode("\nHere are some of the numbers again.\n\n")
    said = [facts.draw() for _ in range(questions)]
    # What is asked is part of the list, so that its length is known before the list is full.
    left = length - len(start) - len(middle) - 2 * sum(map(len, said))
    if left < 0:
        raise Missing(f"{questions} questions do not fit into {length} tokens")
    asked = list(said)
    while len(more := facts.draw()) <= left:
        said.append(more)
        left -= len(more)
    random.shuffle(said)
    tokens = encode("\n") * left + start + [token for sentence in said for token in sentence] + middle
    answers = _ask(facts, tokens, asked)
    return np.array(tokens), answers


def make_needles(encode, prose, length, random, questions=QUESTIONS["needle"]):
    """Prose (tokens, at least `length`) with a fact at each of evenly spaced depths, which are asked at the end in another
    order: (tokens, answers), the answers in the order of depth."""
    facts = _Facts(encode, random)
    needles = [encode("\n") + facts.draw() for _ in range(questions)]
    middle = encode("\n\nHere are some of the numbers again.\n\n")
    order = random.permutation(questions)
    asked = [needles[number][1:] for number in order]
    left = length - len(middle) - sum(map(len, needles)) - sum(map(len, asked))
    if left < questions:
        raise Missing(f"{questions} needles do not fit into {length} tokens")
    tokens = []
    # Half a distance before the first and after the last one.
    ends = [left * (2 * number + 1) // (2 * questions) for number in range(questions)]
    for start, end, needle in zip([0, *ends], ends, needles):
        tokens += prose[start:end] + needle
    tokens += prose[ends[-1] : left] + middle
    answers = _ask(facts, tokens, asked)
    return np.array(tokens), answers[np.argsort(order)]


class Reader:
    """Makes samples. encode: text -> list of tokens."""

    def __init__(self, encode):
        self.encode = encode
        self._texts = {}

    def _text(self, name):
        if name not in self._texts:
            self._texts[name] = _SOURCES[name]()
        return self._texts[name]

    def sample(self, text, length, seed):
        """Missing where the text is not there, or too short."""
        random = _random(text, length, seed)
        answers = None
        if text in READ:
            content, source = self._text(text)
            tokens, start = _window(self.encode, content, source, length, random)
            source = f"{source}, from character {start} on"
        elif text == "facts":
            tokens, answers = make_facts(self.encode, length, random)
            source = "made"
        else:
            content, source = self._text("prose")
            prose, start = _window(self.encode, content, source, length, random)
            tokens, answers = make_needles(self.encode, prose, length, random)
            source = f"{source}, from character {start} on, with needles"
        tokens = np.asarray(tokens, np.int64)
        assert len(tokens) == length
        return Sample(text, length, seed, tokens, answers, source)


def collect(reader, texts, lengths, seeds):
    """Samples of all texts, lengths and seeds that there are, and [(text, reason)] of the others."""
    samples, skipped = [], {}
    for length in lengths:
        for text in texts:
            for seed in seeds:
                try:
                    samples.append(reader.sample(text, length, seed))
                except Missing as reason:
                    skipped[text, str(reason)] = None
    return samples, list(skipped)


def save(path, samples):
    """Samples as an .npz file, for a machine that has not the texts."""
    arrays = {"samples": np.array(json.dumps([{"text": one.text, "length": one.length, "seed": one.seed, "source": one.source}
                                              for one in samples]))}
    for number, one in enumerate(samples):
        arrays[f"tokens{number}"] = one.tokens.astype(np.uint16)  # the vocabulary has 49152
        if one.answers is not None:
            arrays[f"answers{number}"] = one.answers.astype(np.uint32)
    np.savez_compressed(path, **arrays)


class Saved:
    """Gives the samples of such a file, as a Reader does."""

    def __init__(self, path):
        self.path = path
        try:
            with np.load(path) as file:
                arrays = dict(file)
        except FileNotFoundError:
            raise Missing(f"{path} is missing: run.py --prepare writes it") from None
        self._samples = {}
        for number, one in enumerate(json.loads(str(arrays["samples"]))):
            answers = arrays.get(f"answers{number}")
            self._samples[one["text"], one["length"], one["seed"]] = Sample(
                **one, tokens=arrays[f"tokens{number}"].astype(np.int64),
                answers=None if answers is None else answers.astype(np.int64))

    def sample(self, text, length, seed):
        try:
            return self._samples[text, length, seed]
        except KeyError:
            raise Missing(f"{self.path} has no sample of {length} tokens with seed {seed}") from None
