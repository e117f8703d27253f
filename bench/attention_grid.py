#!/usr/bin/env python3
"""Runs mla-bench-attention over its grid and plots it: attention_grid.py BUILD_FOLDER OUT.svg [flags of mla-bench-attention…]

Needs only Python. The CSV goes to standard output, behind it the worst cell."""
import html
import subprocess
import sys

CELL_W, CELL_H, LEFT, TOP = 62, 26, 90, 84


def measure(build, flags):
    text = subprocess.run([f"{build}/bin/mla-bench-attention", *flags], check=True, capture_output=True, text=True).stdout
    lines = text.splitlines()
    names = lines[1].split(",")
    return text, lines[0].lstrip("# "), [dict(zip(names, line.split(","))) for line in lines[2:]]


def colour(ratio):
    """Blue where the expanded form is faster, orange where the absorbed one is; paler the closer they are. ratio: expanded / absorbed."""
    strength = min(1.0, abs(ratio - 1 / ratio) / 2)
    base = (31, 119, 180) if ratio < 1 else (255, 127, 14)
    return "#" + "".join(f"{round(255 - strength * (255 - c)):02x}" for c in base)


def plot(title, cells):
    queries = sorted({int(c["queries"]) for c in cells})
    keys = sorted({int(c["keys"]) for c in cells})
    width, height = LEFT + CELL_W * len(keys) + 20, TOP + CELL_H * len(queries) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="8" y="18" font-size="13">Expanded time / absorbed time; framed: where auto takes the expanded form</text>',
           f'<text x="8" y="36" font-size="10" fill="#555">{html.escape(title)}</text>',
           f'<text x="{LEFT}" y="58">cached tokens</text>', f'<text x="8" y="{TOP - 8}">new tokens</text>']
    for i, k in enumerate(keys):
        out.append(f'<text x="{LEFT + CELL_W * i + CELL_W / 2}" y="{TOP - 8}" text-anchor="middle">{k}</text>')
    for j, q in enumerate(queries):
        out.append(f'<text x="{LEFT - 10}" y="{TOP + CELL_H * j + 17}" text-anchor="end">{q}</text>')
    for c in cells:
        x, y = LEFT + CELL_W * keys.index(int(c["keys"])), TOP + CELL_H * queries.index(int(c["queries"]))
        ratio = float(c["expanded_ms"]) / float(c["absorbed_ms"])
        frame = ' stroke="black" stroke-width="1.5"' if c["chosen"] == "expanded" else ""
        out.append(f'<rect x="{x + 2}" y="{y + 2}" width="{CELL_W - 4}" height="{CELL_H - 4}" fill="{colour(ratio)}"{frame}/>')
        out.append(f'<text x="{x + CELL_W / 2}" y="{y + 17}" text-anchor="middle" font-size="11">{ratio:.2f}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    text, title, cells = measure(sys.argv[1], sys.argv[3:])
    print(text, end="")
    worst = min(cells, key=lambda c: float(c["best_over_chosen"]))
    print(f"worst: {worst['best_over_chosen']} of the better form, at {worst['queries']} new tokens behind {worst['keys']}")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(plot(title, cells))


if __name__ == "__main__":
    main()
