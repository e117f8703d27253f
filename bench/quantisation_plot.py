"""The plot of quantisation.py."""
import math
import statistics

SERIES = [(("libmla", True), "libmla, with importances", "#1b6ca8"), (("libmla", False), "libmla", "#7fb3d5"),
          (("peer", True), "peer, with importances", "#c0392b"), (("peer", False), "peer", "#e6a49a")]
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 440, 70, 50
LOW_X, HIGH_X, LOW_Y, HIGH_Y = 2.5, 9.5, -4, 0  # bits, and powers of ten


def x(bits):
    return LEFT + (bits - LOW_X) / (HIGH_X - LOW_X) * (WIDTH - LEFT - 20)


def y(kl):
    return HEIGHT - BOTTOM - (math.log10(kl) - LOW_Y) / (HIGH_Y - LOW_Y) * (HEIGHT - BOTTOM - 20)


def text(at_x, at_y, what, attributes=""):
    return f'<text x="{at_x:.1f}" y="{at_y:.1f}"{attributes}>{what}</text>'


def axes():
    for power in range(LOW_Y, HIGH_Y + 1):
        yield f'<path d="M{LEFT} {y(10.0**power):.1f}H{WIDTH - 20}" stroke="#ddd"/>'
        yield text(LEFT - 8, y(10.0**power) + 4, f"{10.0**power:g}", ' text-anchor="end"')
    for bits in range(3, 10):
        yield f'<path d="M{x(bits):.1f} 20V{HEIGHT - BOTTOM}" stroke="#eee"/>'
        yield text(x(bits), HEIGHT - BOTTOM + 18, bits, ' text-anchor="middle"')
    yield text((LEFT + WIDTH) / 2, HEIGHT - 10, "bits per weight", ' text-anchor="middle"')
    yield (f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
           "KL divergence from the F16 model, nats per token</text>")


def plot(found, types, path):
    """Bits per weight against KL divergence: found[who, type, importances] is what each order gave."""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *axes()]
    present = [series for series in SERIES if (series[0][0], types[0], series[0][1]) in found]
    for i, ((who, weighted), name, colour) in enumerate(present):
        out.append(f'<circle cx="{WIDTH - 250}" cy="{36 + 18 * i}" r="4" fill="{colour}"/>')
        out.append(text(WIDTH - 240, 40 + 18 * i, name))
        for kind in types:
            bits, kl = (statistics.fmean(one[key] for one in found[who, kind, weighted]) for key in ("bits", "kl"))
            title = f"<title>{kind}: {bits:.2f} bits, {kl:.5f}</title>"
            out.append(f'<circle cx="{x(bits):.1f}" cy="{y(kl):.1f}" r="4" fill="{colour}">{title}</circle>')
            if i == 0:
                out.append(text(x(bits) + 6, y(kl) - 6, kind, ' fill="#444"'))
    path.write_text("\n".join(out + ["</svg>"]) + "\n")
