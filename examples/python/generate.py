"""Continues a text and prints it as it is written:  python generate.py MODEL.gguf "Once upon a time" """

import sys

import mla


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: {sys.argv[0]} MODEL.gguf PROMPT", file=sys.stderr)
        return 2
    try:
        with mla.Model.load(sys.argv[1]) as model:
            print(sys.argv[2], end="")
            for piece in model.generate(sys.argv[2], max_tokens=64, seed=0, stream=True):
                print(piece, end="", flush=True)
            print()
    except mla.Error as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
