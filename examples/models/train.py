#!/usr/bin/env python3
"""Train the demo model: Hugging Face's DeepseekV3ForCausalLM on two CPU cores.

usage: train.py WORK [--minutes M] [--out DIR] [--init DIR]
WORK holds train.json, heldout.json and tokenizer/.

Muon for the hidden matrices, AdamW for the rest.  The learning rate follows the clock, so that the
run ends on time on a machine shared with others.  Routing is balanced as in DeepSeek-V3, without an
auxiliary loss: after every step e_score_correction_bias moves a little against each expert's load.
Each core runs a process of its own on its share of the batch: they meet once a step, where two threads
would meet at every matrix product and lose most of their time to whatever else the machine is doing.
"""
import argparse
import copy
import csv
import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import DeepseekV3ForCausalLM, logging
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter

from demo_model import BOS, EOS, config, loss_of, round_to_f16

BATCH_TOKENS = 8192
WARM_UP = 100           # steps
DECAY = 0.7             # the last part of the run in which the rate falls to zero
LONG_CONTEXT_FROM = 0.6  # windows grow from 256 to 1024 tokens here
EVALUATIONS = 15
BIAS_SPEED = 3e-3
BIAS_UNTIL = 0.9        # then the bias rests, as the rate nears zero


def orthogonalise(g, steps=5):
    """The nearest (semi-)orthogonal matrix, roughly, by Muon's quintic Newton-Schulz iteration."""
    tall = g.size(-2) > g.size(-1)
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates (Jordan et al., 2024); stacks of expert matrices work too."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalise(p.grad.lerp(m, group["momentum"]))
                # Scale of an AdamW step (Liu et al., 2025), so that both share one learning rate.
                scale = 0.2 * max(p.shape[-2:]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * scale)


def count_load(router, _, result):
    if router.training:
        router.load += torch.bincount(result[2].flatten(), minlength=router.num_experts)


def optimisers(model, lr):
    hidden, table, other = [], [], []
    for name, p in model.named_parameters():
        if p.ndim < 2 or name.endswith("mlp.gate.weight"):
            other.append(p)
        elif "embed_tokens" in name or "lm_head" in name:
            table.append(p)
        else:
            hidden.append(p)
    adam = torch.optim.AdamW([{"params": table, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}],
                             lr=lr, betas=(0.9, 0.95), fused=True)
    return [Muon(hidden, lr, weight_decay=0.3), adam]


class Stream:
    """Training windows: every epoch cuts the token stream anew at a random phase, in random order."""

    def __init__(self, documents, tokenizer, seed):
        self.rng = torch.Generator().manual_seed(seed)
        ids = []
        for encoding in tokenizer.encode_batch(documents):  # adds <bos>
            ids += encoding.ids + [EOS]
        self.tokens = torch.tensor(ids)
        self.queue, self.context = [], 0

    def batch(self, context):
        rows = BATCH_TOKENS // context
        if context != self.context or len(self.queue) < rows:
            phase = torch.randint(context, (1,), generator=self.rng).item()
            starts = torch.arange(phase, len(self.tokens) - context, context)
            self.queue = starts[torch.randperm(len(starts), generator=self.rng)].tolist()
            self.context = context
        y = torch.stack([self.tokens[s:s + context] for s in self.queue[:rows]])
        del self.queue[:rows]
        # Every window starts with <bos>, as every prompt will; <bos> itself is never predicted.
        x = F.pad(y[:, :-1], (1, 0), value=BOS)
        return x, y.masked_fill(y == BOS, -100)


def sum_over_workers(model, routers):
    """Add up gradients and expert loads, in one exchange."""
    parts = [p.grad for p in model.parameters()] + [r.load for r in routers]
    flat = torch.cat([t.flatten() for t in parts])
    dist.all_reduce(flat)
    for t, piece in zip(parts, flat.split([t.numel() for t in parts])):
        t.copy_(piece.view_as(t))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("work", type=Path)
    ap.add_argument("--minutes", type=float, default=70)
    ap.add_argument("--out", type=Path)
    ap.add_argument("--lr", type=float, default=4e-3)
    ap.add_argument("--workers", type=int, default=2)
    ap.add_argument("--init", type=Path, help="continue from this model's weights")
    ap.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    ap.add_argument("--seed", type=int, default=1)
    args = ap.parse_args()
    torch.multiprocessing.spawn(train, (args,), nprocs=args.workers)


def train(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    dist.init_process_group("gloo", rank=rank, world_size=args.workers)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    logging.disable_progress_bar()
    out = args.out or args.work / "hf"
    out.mkdir(exist_ok=True)

    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer/tokenizer.json"))
    stream = Stream(json.loads((args.work / "train.json").read_text()), tokenizer, args.seed)
    heldout = json.loads((args.work / "heldout.json").read_text())
    if args.init:
        model = DeepseekV3ForCausalLM.from_pretrained(args.init, dtype=torch.float32).train()
    else:
        model = DeepseekV3ForCausalLM(config()).train()
    if rank == 0:
        print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(stream.tokens)} training tokens", flush=True)

    routers = [m for m in model.modules() if isinstance(m, DeepseekV3TopkRouter)]
    for r in routers:
        r.load = torch.zeros(r.num_experts)
        r.register_forward_hook(count_load)

    opts = optimisers(model, args.lr)
    if rank == 0:
        log = csv.writer(open(out / "loss.csv", "w", newline="", buffering=1), lineterminator="\n")
        log.writerow(["minutes", "step", "tokens", "train_loss", "heldout_loss", "largest_load"])
    best, step, recent, next_eval, start = float("inf"), 0, [], 1 / EVALUATIONS, time.time()
    while True:
        clock = torch.tensor([time.time() - start])
        dist.broadcast(clock, 0)  # one clock, so that all agree on the learning rate and the end
        progress = clock.item() / (args.minutes * 60)
        if progress >= min(next_eval, 1.0):
            if rank == 0:
                # Judge what would be shipped: a copy with its matrices rounded to F16.
                shipped = copy.deepcopy(model)
                round_to_f16(shipped)
                heldout_loss = loss_of(shipped, heldout, tokenizer)["loss"]
                if heldout_loss < best:
                    best = heldout_loss
                    shipped.eval().save_pretrained(out)
                row = [f"{(time.time() - start) / 60:.1f}", step, step * BATCH_TOKENS,
                       f"{sum(recent) / len(recent):.4f}", f"{heldout_loss:.4f}",
                       f"{max(r.share.max().item() for r in routers):.2f}"]
                log.writerow(row)
                print(*row, flush=True)
            if progress >= 1.0:
                break
            recent = []
            while next_eval <= progress:
                next_eval += 1 / EVALUATIONS

        rate = min(1.0, (step + 1) / (20 if args.init else WARM_UP)) * min(1.0, (1 - progress) / DECAY)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = args.lr * rate
        x, y = stream.batch(256 if progress < LONG_CONTEXT_FROM else 1024)
        x, y = x[rank::args.workers], y[rank::args.workers]
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            logits = model(input_ids=x, use_cache=False).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten())
        (loss / args.workers).backward()
        sum_over_workers(model, routers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        if progress < BIAS_UNTIL:
            for r in routers:
                r.e_score_correction_bias -= BIAS_SPEED * torch.sign(r.load - r.load.mean())
        for r in routers:
            r.share = r.load / r.load.mean()
            r.load.zero_()
        step += 1
        recent.append(loss.item())


if __name__ == "__main__":
    main()
