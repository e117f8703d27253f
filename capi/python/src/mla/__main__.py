"""python -m mla [PROMPT]: continues a text, with the demo model unless -m names another."""

import argparse
import sys
from typing import Optional, Sequence

from . import Error, Model, __version__, demo_model


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mla", description="Continues a text with a DeepSeek-family model.")
    parser.add_argument("prompt", nargs="?", default="In the beginning", help="the text to continue (default: %(default)s)")
    parser.add_argument("-m", "--model", metavar="PATH", help="GGUF file or Hugging Face folder (default: the demo model)")
    parser.add_argument("-n", "--n-predict", type=int, default=128, metavar="N", help="tokens at most (default: %(default)s)")
    parser.add_argument("-s", "--seed", type=int, help="of the sampler (default: another one each time)")
    parser.add_argument("--temp", type=float, default=0.8, help="temperature; 0: always the most likely token")
    parser.add_argument("--version", action="version", version=f"mla {__version__}")
    flags = parser.parse_args(arguments)
    seed = {} if flags.seed is None else {"seed": flags.seed}
    try:
        with Model.load(flags.model or demo_model()) as model:
            generation = model.generate(flags.prompt, max_tokens=flags.n_predict, temperature=flags.temp, stream=True, **seed)
            print(flags.prompt, end="", flush=True)
            for piece in generation:
                print(piece, end="", flush=True)
            print()
    except Error as error:
        print(f"mla: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
