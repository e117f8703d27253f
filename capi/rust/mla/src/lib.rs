//! Runs DeepSeek-family language models (Multi-head Latent Attention) on CPUs: a safe layer over libmla.
//!
//! ```
//! # fn main() -> mla::Result<()> {
//! # let path = mla::doc_model();
//! let model = mla::Model::load(path)?;
//! let mut context = mla::Context::new(&model)?;
//! let mut sampler = mla::Sampler::new()?;
//! for piece in context.generate_text("In the beginning", &mut sampler)?.max_tokens(64) {
//!     print!("{}", piece?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Ownership and threads
//! | type | threads | keeps alive |
//! |---|---|---|
//! | [`Model`], [`Tokenizer`], [`ChatTemplate`] | `Send + Sync`: any number at once; clones are names for the same model | |
//! | [`Context`], [`KvCache`], [`Sampler`], [`TextStream`] | `Send`, not `Sync`: one thread at a time | the model, the cache it was given |
//! | [`AbortHandle`], [`SharedThreads`] | `Send + Sync` | nothing |
//!
//! Objects may be dropped in any order. What a method lends (logits, pieces) is borrowed: the compiler sees to it that nobody decodes meanwhile.
//!
//! # Errors and panics
//! Every call that can fail returns [`Result`]; [`Error`] carries a [`Status`] and one line that says what to do. A panic in a callback of the
//! host's never unwinds through the library: the work stops, and the panic goes on in the caller.
//!
//! # Where the library comes from
//! `mla-sys` finds an installed libmla with pkg-config, takes the folder in `MLA_LIB_DIR`, or builds the source tree that it lies in.
#![warn(missing_docs)]

mod batch;
mod cache;
mod cache_ref;
mod chat;
mod context;
mod context_options;
mod error;
mod ffi;
mod generate;
mod host;
mod model;
mod model_options;
mod sampler;
mod shared_threads;
mod timings;
mod tokenizer;

pub use batch::Batch;
pub use cache::{CacheLayout, CacheShape, CacheType, KvCache, KvCacheOptions};
pub use cache_ref::{KvCacheRef, ALL_SEQUENCES};
pub use chat::{ChatMessage, ChatOptions, ChatTemplate};
pub use context::{AbortHandle, AttentionMode, Context};
pub use context_options::{AttentionRates, ContextOptions, MemoryNeed};
pub use error::{Error, Result, Status};
pub use generate::{Text, Tokens};
pub use host::{Allocator, LogLevel, Progress, ThreadPool};
pub use model::{Model, ModelInfo};
pub use model_options::{ModelOptions, Numa, RepackMode};
pub use sampler::{Sampler, SamplerOptions, TokenProbability};
pub use shared_threads::{SharedThreads, SharedThreadsOptions};
pub use timings::OpTiming;
pub use tokenizer::{EncodeOptions, TextStream, TokenKind, Tokenizer};

/// Index into the vocabulary.
pub type Token = i32;
/// Place of a token in its sequence, from 0.
pub type Position = i32;
/// Names a sequence in a cache; any value from 0.
pub type SequenceId = i32;

/// The version of the library, such as "0.1.0".
pub fn version() -> String {
    // SAFETY: a static text.
    unsafe { error::text(mla_sys::mla_version()) }
}

/// Threads that this thread may keep busy with profit: one for each physical core that it may use.
pub fn default_threads() -> i32 {
    // SAFETY: a function without preconditions.
    unsafe { mla_sys::mla_default_threads() }
}

/// The instruction set that the kernels use: "scalar", "avx2", "avx512". An error if the environment variable MLA_ISA names none, or one that
/// this processor lacks.
pub fn isa_name() -> Result<String> {
    // SAFETY: a static text, or NULL.
    let name = unsafe { mla_sys::mla_isa_name() };
    if name.is_null() {
        return Err(Error::last(mla_sys::MLA_INVALID_ARGUMENT));
    }
    // SAFETY: as above.
    Ok(unsafe { error::text(name) })
}

/// The demo model of the source tree, for the examples in this documentation.
#[doc(hidden)]
pub fn doc_model() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/models/demo-f16.gguf")
}

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/rust.md")]
struct Guide;
