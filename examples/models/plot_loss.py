#!/usr/bin/env python3
"""Draw loss.csv as an SVG.  usage: plot_loss.py loss.csv loss.svg"""
import csv
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 56, 16, 34, 46
SERIES = [("train_loss", "training", "#8a8f98"), ("heldout_loss", "held out", "#1f6feb")]


def main():
    rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(open(sys.argv[1], newline=""))]
    x_max = max(r["tokens"] for r in rows) / 1e6
    values = [r[name] for r in rows for name, _, _ in SERIES]
    y_min, y_max = int(min(values) * 2) / 2, min(max(values), 6.0)  # the first steps would flatten the rest

    def x(tokens):
        return LEFT + (WIDTH - LEFT - RIGHT) * tokens / x_max

    def y(loss):
        return TOP + (HEIGHT - TOP - BOTTOM) * (y_max - loss) / (y_max - y_min)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           f'font-size="12" fill="#24292f"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']

    def text(px, py, words, anchor="middle", colour="#24292f"):
        out.append(f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>')

    loss = y_min
    while loss <= y_max + 1e-9:
        out.append(f'<path d="M{LEFT} {y(loss):.1f}H{WIDTH - RIGHT}" stroke="#e1e4e8"/>')
        text(LEFT - 8, y(loss) + 4, f"{loss:.1f}", "end")
        loss += 0.5
    step = next(s for s in (1, 2, 5, 10, 20, 50) if x_max / s <= 10)
    for tokens in range(0, int(x_max) + 1, step):
        text(x(tokens), HEIGHT - BOTTOM + 18, tokens)
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "million tokens seen")
    text(LEFT - 40, 20, "nats per token", "start")
    for i, (name, label, colour) in enumerate(SERIES):
        points = [(x(r["tokens"] / 1e6), y(r[name])) for r in rows if r[name] <= y_max]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        text(WIDTH - RIGHT - 8, TOP + 18 + 18 * i, f"{label} {rows[-1][name]:.3f}", "end", colour)
    open(sys.argv[2], "w").write("\n".join(out) + "\n</svg>\n")


main()
