"""How alike two texts are to the model, the cosine of their embeddings:  python embeddings.py MODEL.gguf TEXT TEXT"""

import sys

import mla


def main() -> int:
    if len(sys.argv) != 4:
        print(f"usage: {sys.argv[0]} MODEL.gguf TEXT TEXT", file=sys.stderr)
        return 2
    try:
        with mla.Model.load(sys.argv[1]) as model:
            first, second = model.embed(sys.argv[2:])  # float32 [2, n_embd], each of length 1
    except mla.Error as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1
    print(f"{first @ second:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
