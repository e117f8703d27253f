use std::fmt;
use std::ops::ControlFlow;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use mla_sys as sys;

use crate::error::{check, Result};
use crate::ffi::{count, Owned};
use crate::host::{self, Callback, MaskFn};
use crate::Token;

/// The chain: logit bias, penalties, mask; then the largest logit if the temperature is 0, otherwise temperature, top-k, top-p, min-p,
/// typical-p (or, instead of these four, mirostat) and a draw from what is left. The same seed gives the same tokens on every machine.
#[derive(Default)]
#[must_use = "build() makes the sampler"]
pub struct SamplerOptions {
    raw: sys::mla_sampler_options,
    logit_bias: Vec<sys::mla_logit_bias>,
    mask: Option<Arc<Callback<MaskFn>>>,
}

impl SamplerOptions {
    /// All defaults: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the draws begin.
    pub fn seed(mut self, seed: u64) -> Self {
        self.raw.seed = seed;
        self
    }

    /// Divides the logits; 0: always the largest logit.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.raw.temperature = temperature;
        self.raw.greedy = i32::from(temperature == 0.0);
        self
    }

    /// Keep the k largest; 0: all.
    pub fn top_k(mut self, k: i32) -> Self {
        self.raw.top_k = if k == 0 { -1 } else { k };
        self
    }

    /// Keep the most likely that together reach p, above 0; 1: all.
    pub fn top_p(mut self, p: f32) -> Self {
        self.raw.top_p = p;
        self
    }

    /// Keep what is at least this share of the most likely one; 0: all.
    pub fn min_p(mut self, p: f32) -> Self {
        self.raw.min_p = if p == 0.0 { -1.0 } else { p };
        self
    }

    /// Keep those closest to the expected surprise that together reach p, above 0; 1: all.
    pub fn typical_p(mut self, p: f32) -> Self {
        self.raw.typical_p = p;
        self
    }

    /// Divides positive logits of tokens in the window and multiplies others; 1: none.
    pub fn repeat_penalty(mut self, penalty: f32) -> Self {
        self.raw.repeat_penalty = penalty;
        self
    }

    /// Subtracted from the logit of every token in the window.
    pub fn presence_penalty(mut self, penalty: f32) -> Self {
        self.raw.presence_penalty = penalty;
        self
    }

    /// Subtracted as many times as the token occurs in the window.
    pub fn frequency_penalty(mut self, penalty: f32) -> Self {
        self.raw.frequency_penalty = penalty;
        self
    }

    /// The window of the penalties: the last n accepted tokens, 64 if not set; -1: all.
    pub fn penalty_last_n(mut self, n: i32) -> Self {
        self.raw.penalty_last_n = n;
        self
    }

    /// Mirostat 2.0 instead of the four filters: `tau` is the surprise to hold, in bits (5 is usual), `eta` the learning rate (0.1).
    pub fn mirostat(mut self, tau: f32, eta: f32) -> Self {
        (self.raw.mirostat, self.raw.mirostat_tau, self.raw.mirostat_eta) = (2, tau, eta);
        self
    }

    /// Added to the logit of a token; negative infinity bans it.
    pub fn logit_bias(mut self, token: Token, bias: f32) -> Self {
        self.logit_bias.push(sys::mla_logit_bias { token, bias });
        self
    }

    /// A stage of the host's, after bias and penalties: lowers logits in place, or bans tokens with negative infinity (a grammar). `Break`
    /// makes the call fail with `Aborted`. A panic goes on in the caller of [`sample`](Sampler::sample). Copies of the sampler share it.
    pub fn mask(mut self, mask: impl Fn(&mut [f32]) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.mask = Some(Callback::new(Box::new(mask)));
        self
    }

    /// `InvalidArgument` names the option and its range.
    pub fn build(self) -> Result<Sampler> {
        let mut raw = self.raw;
        (raw.logit_bias, raw.n_logit_bias) = (self.logit_bias.as_ptr(), self.logit_bias.len());
        if let Some(mask) = &self.mask {
            raw.mask = Some(host::mask);
            raw.mask_user_data = mask.user_data();
        }
        let mut sampler = ptr::null_mut();
        // SAFETY: the array lives until the call returns; the mask goes into the sampler.
        check(unsafe { sys::mla_sampler_new(&mut sampler, &raw) })?;
        Ok(Sampler::from_raw(sampler, self.mask))
    }
}

/// A token and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenProbability {
    /// Its id.
    pub token: Token,
    /// From 0 to 1.
    pub probability: f64,
}

/// Picks the next token from logits. For one stream of text, used by one thread at a time.
pub struct Sampler {
    raw: NonNull<sys::mla_sampler>,
    mask: Option<Arc<Callback<MaskFn>>>,
}

// SAFETY: mla.h: a sampler belongs to one thread at a time; any thread. What copies share, the mask, is Sync.
unsafe impl Send for Sampler {}

impl Sampler {
    /// A sampler with default options.
    pub fn new() -> Result<Sampler> {
        SamplerOptions::new().build()
    }

    /// Always the largest logit.
    pub fn greedy() -> Result<Sampler> {
        SamplerOptions::new().temperature(0.0).build()
    }

    fn from_raw(raw: *mut sys::mla_sampler, mask: Option<Arc<Callback<MaskFn>>>) -> Sampler {
        Sampler { raw: NonNull::new(raw).expect("a sampler that was made is not NULL"), mask }
    }

    /// A sampler that goes on exactly as this one would.
    pub fn try_clone(&self) -> Result<Sampler> {
        let mut copy = ptr::null_mut();
        // SAFETY, here and below: a live sampler, which one thread uses at a time.
        check(unsafe { sys::mla_sampler_copy(&mut copy, self.raw.as_ptr()) })?;
        Ok(Sampler::from_raw(copy, self.mask.clone()))
    }

    /// The next token. Does not accept it; a call that fails changes nothing.
    ///
    /// `InvalidArgument` if the logits hold NaN or infinity, or every token is banned; `Aborted` by the mask.
    pub fn sample(&mut self, logits: &[f32]) -> Result<Token> {
        let mut token = -1;
        let n_vocab = count(logits.len(), "logits")?;
        let result = check(unsafe { sys::mla_sampler_sample(&mut token, self.raw.as_ptr(), logits.as_ptr(), n_vocab) });
        self.resume_panic();
        result.map(|()| token)
    }

    /// What sample would draw from, most likely first; adds up to 1. Changes nothing.
    pub fn probabilities(&mut self, logits: &[f32]) -> Result<Vec<TokenProbability>> {
        let mut out = Owned::<sys::mla_token_probability>::none();
        let n_vocab = count(logits.len(), "logits")?;
        let raw = self.raw.as_ptr();
        let result = check(unsafe { sys::mla_sampler_probabilities(&mut out.data, &mut out.len, raw, logits.as_ptr(), n_vocab) });
        self.resume_panic();
        result?;
        Ok(out.as_slice().iter().map(|entry| TokenProbability { token: entry.token, probability: entry.probability }).collect())
    }

    /// Puts a token, of the prompt or sampled, into the window of the penalties. `InvalidArgument` for a negative one.
    pub fn accept(&mut self, token: Token) -> Result<()> {
        check(unsafe { sys::mla_sampler_accept(self.raw.as_ptr(), token) })
    }

    /// Back to how it was made: seed, empty window.
    pub fn reset(&mut self) -> Result<()> {
        check(unsafe { sys::mla_sampler_reset(self.raw.as_ptr()) })
    }

    /// The largest surprise that mirostat lets through now, in bits.
    pub fn mirostat_mu(&self) -> f64 {
        unsafe { sys::mla_sampler_mirostat_mu(self.raw.as_ptr()) }
    }

    fn resume_panic(&self) {
        if let Some(mask) = &self.mask {
            mask.resume_panic();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::mla_sampler_free(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}
