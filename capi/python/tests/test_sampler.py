from typing import List

import numpy as np
import pytest

import mla

LOGITS = np.random.default_rng(0).standard_normal(500).astype(np.float32) * 3


def softmax(logits: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float64]":
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    result: "np.typing.NDArray[np.float64]" = shifted / shifted.sum()
    return result


def neutral(**options: object) -> mla.Sampler:
    return mla.Sampler(**{"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **options})  # type: ignore[arg-type]


def test_probabilities_are_numpys() -> None:
    for temperature in (0.3, 1.0, 2.0):
        entries = neutral(temperature=temperature).probabilities(LOGITS)
        expected = softmax(LOGITS / np.float32(temperature))
        assert len(entries) == 500
        np.testing.assert_allclose([p for _, p in entries], expected[[t for t, _ in entries]], rtol=1e-5)


def test_zero_means_what_it_means_in_cpp() -> None:
    best = int(LOGITS.argmax())
    assert {mla.Sampler(temperature=0, seed=seed).sample(LOGITS) for seed in range(20)} == {best}
    assert [entry.token for entry in neutral(top_p=0.0).probabilities(LOGITS)] == [best]
    assert len(neutral(top_k=7).probabilities(LOGITS)) == 7
    assert len(mla.Sampler().probabilities(LOGITS)) < len(neutral().probabilities(LOGITS)) == 500
    without_window = neutral(penalty_last_n=0, repeat_penalty=5.0, presence_penalty=5.0)
    without_window.accept(best)
    assert without_window.probabilities(LOGITS)[0].token == best


def test_penalties_bias_and_reset() -> None:
    best = int(LOGITS.argmax())
    sampler = neutral(temperature=0.0, presence_penalty=1000.0)
    assert sampler.sample(LOGITS) == best
    sampler.accept(best)
    assert sampler.sample(LOGITS) == int(np.argsort(-LOGITS)[1])
    sampler.reset()
    assert sampler.sample(LOGITS) == best
    assert neutral(temperature=0.0, logit_bias={best: -float("inf"), 3: 100.0}).sample(LOGITS) == 3


def test_a_copy_goes_on_alike() -> None:
    sampler = mla.Sampler(seed=5)
    for _ in range(3):
        sampler.sample(LOGITS)
    other = sampler.copy()
    assert [sampler.sample(LOGITS) for _ in range(20)] == [other.sample(LOGITS) for _ in range(20)]


def test_mask() -> None:
    allowed = {10, 20, 30}
    seen: List[int] = []

    def mask(logits: "np.typing.NDArray[np.float32]") -> None:
        seen.append(logits.size)
        keep = logits[list(allowed)].copy()
        logits[:] = -np.inf
        logits[list(allowed)] = keep

    sampler = neutral(mask=mask)
    copy = sampler.copy()
    del sampler
    assert {copy.sample(LOGITS) for _ in range(200)} == allowed and set(seen) == {500}


def test_an_exception_of_the_mask_comes_out_and_changes_nothing() -> None:
    failing = [True]

    def mask(logits: "np.typing.NDArray[np.float32]") -> None:
        if failing:
            raise KeyError("no rule")

    sampler = neutral(mask=mask, seed=3)
    for call in (sampler.sample, sampler.probabilities):
        with pytest.raises(KeyError, match="no rule"):
            call(LOGITS)
    failing.clear()
    assert sampler.sample(LOGITS) == neutral(seed=3).sample(LOGITS)


@pytest.mark.parametrize("options", [
    {"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": -1}, {"top_p": 1.5}, {"top_p": float("nan")}, {"min_p": -0.1},
    {"typical_p": 0.0}, {"repeat_penalty": 0.0}, {"mirostat": 1}, {"seed": -1}, {"seed": 2**64}, {"penalty_last_n": -2}])
def test_options_out_of_range(options: "dict[str, object]") -> None:
    with pytest.raises(mla.InvalidArgumentError, match=next(iter(options))):
        mla.Sampler(**options)  # type: ignore[arg-type]


def test_bad_logits() -> None:
    sampler = mla.Sampler()
    for logits in (np.array([], np.float32), np.array([1, np.nan], np.float32), np.full(3, -np.inf, np.float32), LOGITS.reshape(5, 100)):
        with pytest.raises(mla.InvalidArgumentError):
            sampler.sample(logits)
    assert sampler.mirostat_mu == mla.Sampler().mirostat_mu
