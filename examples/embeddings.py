"""How alike texts are: the cosine of the first one's embedding with each other's:  python embeddings.py MODEL.gguf TEXT TEXT …"""

import sys

import mla


def main() -> int:
    if len(sys.argv) < 4:
        print(f"usage: {sys.argv[0]} MODEL.gguf TEXT TEXT ...", file=sys.stderr)
        return 2
    try:
        with mla.Model.load(sys.argv[1]) as model:
            vectors = model.embed(sys.argv[2:])  # [n_texts, n_embd], each of length 1
        for text, cosine in zip(sys.argv[3:], vectors[1:] @ vectors[0]):
            print(f"{cosine:.4f}  {text}")
    except mla.Error as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
