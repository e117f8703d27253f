// Made from include/mla/mla.h and mla_experimental.h. Don't edit: tests/current.rs says how to make it anew.

use std::os::raw::{c_char, c_int, c_uint, c_void};

/// Why a call failed. The numbers never change.
pub type mla_status = c_uint;
pub const MLA_OK: mla_status = 0;
/// the caller passed something that can't be: NULL, a wrong size, an unknown sequence
pub const MLA_INVALID_ARGUMENT: mla_status = 1;
/// a file that isn't there
pub const MLA_NOT_FOUND: mla_status = 2;
/// the operating system refused to read, write or map
pub const MLA_IO_ERROR: mla_status = 3;
/// a file that is truncated, damaged or contradicts itself
pub const MLA_BAD_FILE: mla_status = 4;
/// a valid file or request that this version can't serve
pub const MLA_UNSUPPORTED: mla_status = 5;
/// an allocation failed; nothing was changed
pub const MLA_OUT_OF_MEMORY: mla_status = 6;
/// the KV cache has no room for the batch; nothing was changed
pub const MLA_CACHE_FULL: mla_status = 7;
/// a progress or abort callback, or mla_context_abort(), asked to stop; nothing was changed
pub const MLA_ABORTED: mla_status = 8;
/// a bug in libmla
pub const MLA_INTERNAL: mla_status = 9;

/// index into the vocabulary; -1: none
pub type mla_token = i32;

/// place of a token in its sequence, from 0
pub type mla_position = i32;

/// names a sequence in a cache; any value from 0
pub type mla_sequence_id = i32;

/// How attention is computed and what the KV cache holds.
pub type mla_attention_mode = c_uint;
/// latent cache; expanded or absorbed mathematics, whichever is cheaper for the step
pub const MLA_ATTENTION_AUTO: mla_attention_mode = 0;
/// keys and values of every head in the cache, plain multi-head attention
pub const MLA_ATTENTION_DEEPSEEK2: mla_attention_mode = 1;
/// latent cache, absorbed mathematics always
pub const MLA_ATTENTION_DEEPSEEK_MLA: mla_attention_mode = 2;

/// What a row of the KV cache holds.
pub type mla_cache_layout = c_uint;
/// the latent and the rope part: n_latent + n_rope values per token and layer
pub const MLA_CACHE_LATENT: mla_cache_layout = 0;
/// keys and values of every head; what MLA_ATTENTION_DEEPSEEK2 needs
pub const MLA_CACHE_EXPANDED: mla_cache_layout = 1;

/// Number format of cache rows.
pub type mla_cache_type = c_uint;
/// q16_row
pub const MLA_CACHE_TYPE_DEFAULT: mla_cache_type = 0;
pub const MLA_CACHE_TYPE_F32: mla_cache_type = 1;
pub const MLA_CACHE_TYPE_F16: mla_cache_type = 2;
pub const MLA_CACHE_TYPE_BF16: mla_cache_type = 3;
/// in this type and the three after it the rope part stays 16-bit
pub const MLA_CACHE_TYPE_Q8_0: mla_cache_type = 4;
pub const MLA_CACHE_TYPE_Q6_0: mla_cache_type = 5;
pub const MLA_CACHE_TYPE_Q4_0: mla_cache_type = 6;
/// 8 bits, one scale for a row, or for each head of the expanded layout
pub const MLA_CACHE_TYPE_Q8_ROW: mla_cache_type = 7;
/// 16 bits, likewise: finer than f16, and faster
pub const MLA_CACHE_TYPE_Q16_ROW: mla_cache_type = 8;

pub type mla_log_level = c_uint;
pub const MLA_LOG_DEBUG: mla_log_level = 0;
pub const MLA_LOG_INFO: mla_log_level = 1;
pub const MLA_LOG_WARNING: mla_log_level = 2;
pub const MLA_LOG_ERROR: mla_log_level = 3;

/// How a machine with several memory nodes is used. On one with a single node all are the same.
pub type mla_numa = c_uint;
/// threads and memory wherever the system puts them
pub const MLA_NUMA_NONE: mla_numa = 0;
/// threads on all nodes, repacked weights page by page on all
pub const MLA_NUMA_DISTRIBUTE: mla_numa = 1;
/// threads and repacked weights on the node where the model is loaded
pub const MLA_NUMA_ISOLATE: mla_numa = 2;
/// threads on the nodes that numactl allows, memory as it says
pub const MLA_NUMA_NUMACTL: mla_numa = 3;
/// every weight matrix and expert cut by rows into the nodes' memory
pub const MLA_NUMA_SPLIT: mla_numa = 4;
/// a copy of the weights on each node
pub const MLA_NUMA_REPLICATE: mla_numa = 5;

#[repr(C)]
pub struct mla_model {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_kv_cache {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_context {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_sampler {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_tokenizer {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_text_stream {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

#[repr(C)]
pub struct mla_chat_template {
    _private: [u8; 0],
    _marker: crate::Opaque,
}

/// Called now and then during long work with what is being done and how far it is. Return 0 to go on, else to stop.
pub type mla_progress_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, phase: *const c_char, done: u64, total: u64) -> c_int>;

/// Polled during computation, at least every 200 ms, on the thread that computes. Return 0 to go on, else to stop.
pub type mla_abort_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> c_int>;

/// Receives a message (one line, no line end), on any thread that calls the library.
pub type mla_log_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, level: mla_log_level, message: *const c_char)>;

/// Where weights that are not mapped, cache pages and compute buffers come from. Called by one thread at a time for
/// each model, context or cache; thread-safe if several of them share it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_allocator {
    pub struct_size: usize,
    /// `bytes` of memory aligned to `alignment` (a power of two, at least 64), or NULL when there is none. Required.
    pub allocate: Option<unsafe extern "C" fn(user_data: *mut c_void, bytes: usize, alignment: usize) -> *mut c_void>,
    /// Gives back what allocate() returned for the same `bytes`. Required.
    pub deallocate: Option<unsafe extern "C" fn(user_data: *mut c_void, memory: *mut c_void, bytes: usize)>,
    pub user_data: *mut c_void,
}
impl Default for mla_allocator {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// A task body: called with 0 \<= task \< n_tasks and 0 \<= thread \< n_threads.
pub type mla_task_fn = Option<unsafe extern "C" fn(data: *mut c_void, task: i32, thread: i32)>;

/// Runs the tasks of one operation at a time for a context.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_thread_pool {
    pub struct_size: usize,
    /// the largest number of tasks that run at once, at least 1
    pub n_threads: i32,
    /// Calls fn(data, task, thread) once for each task from 0 to n_tasks - 1, in any order and on any threads, and returns
    /// when all have returned. Two tasks that run at the same time see different values of `thread`. Required.
    pub run: Option<unsafe extern "C" fn(user_data: *mut c_void, n_tasks: i32, fn_: mla_task_fn, data: *mut c_void)>,
    pub user_data: *mut c_void,
    /// Nonzero promises that run() with n_threads tasks runs all of them at the same time, each on a thread of its own, task 0 on the
    /// calling thread. The library then calls run() once for a whole mla_context_decode() instead of once for each of its operations,
    /// and its threads wait for each other inside; it hangs if the promise is broken. With 0, tasks never wait for other tasks.
    pub concurrent: i32,
}
impl Default for mla_thread_pool {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_thread_pool_options {
    pub struct_size: usize,
    /// the calling thread included; 0: mla_default_threads()
    pub n_threads: i32,
    /// where they run; what the model was loaded with
    pub numa: mla_numa,
    /// nonzero: bind each to a processor; never the calling thread
    pub pin_threads: i32,
}
impl Default for mla_thread_pool_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// A metadata key to take instead of the file's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_override {
    /// such as "deepseek2.expert_group_count"
    pub key: *const c_char,
    /// decimal text, "true" or "false"
    pub value: *const c_char,
}

/// Whether weights are put into the layout that the kernels read fastest when a model is loaded; the logits are the same.
pub type mla_repack_mode = c_uint;
/// where it helps and the copy fits in memory; otherwise they are used in place, and the log says so
pub const MLA_REPACK_AUTO: mla_repack_mode = 0;
/// MLA_OUT_OF_MEMORY, before any is taken, where the copy doesn't fit
pub const MLA_REPACK_ALWAYS: mla_repack_mode = 1;
/// used in place
pub const MLA_REPACK_NEVER: mla_repack_mode = 2;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_model_options {
    pub struct_size: usize,
    /// nonzero: read the file into memory instead of mapping it
    pub no_mmap: i32,
    /// nonzero stops the load with MLA_ABORTED
    pub progress: mla_progress_fn,
    pub progress_user_data: *mut c_void,
    /// NULL: silence
    pub log: mla_log_fn,
    pub log_user_data: *mut c_void,
    /// copied; NULL: the library's own
    pub allocator: *const mla_allocator,
    /// \[n_overrides]; a key that the loader does not read is an error
    pub overrides: *const mla_override,
    pub n_overrides: usize,
    pub repack: mla_repack_mode,
    /// nonzero: don't ask for huge pages for repacked weights
    pub no_huge_pages: i32,
    /// that repack; 0: the processors this process may use. They end with the load
    pub n_threads: i32,
    /// threads and memory on machines with several memory nodes; contexts follow the model
    pub numa: mla_numa,
    /// of a Hugging Face folder: the type that its matrices get in memory, "q8_0" say; NULL: used where they are
    pub load_type: *const c_char,
}
impl Default for mla_model_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// Facts of a model. Set struct_size (MLA_MODEL_INFO_INIT) before the call; no more than that is written.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_model_info {
    pub struct_size: usize,
    /// general.name, may be empty; borrowed, as long as the model
    pub name: *const c_char,
    /// "deepseek2"; borrowed, as long as the model
    pub architecture: *const c_char,
    pub n_vocab: i32,
    pub n_embd: i32,
    pub n_layers: i32,
    /// context length that the file states
    pub n_ctx_train: i32,
    /// routed experts of a layer; 0 for a dense model
    pub n_experts: i32,
    pub n_experts_used: i32,
    pub n_parameters: u64,
    /// size of all tensors
    pub weight_bytes: u64,
    /// memory taken beside the file, for k_b that it lacks
    pub derived_bytes: u64,
    /// weights that the kernels read in their own layout: repacked, or so in the file
    pub panel_bytes: u64,
    /// memory taken beside the file for repacked weights
    pub repacked_bytes: u64,
    /// tells models apart, as saved states do
    pub fingerprint: u64,
}
impl Default for mla_model_info {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// The sizes that a cache row depends on.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_cache_shape {
    pub struct_size: usize,
    pub n_layers: i32,
    pub n_heads: i32,
    /// width of a head's key without rope
    pub n_nope: i32,
    /// width of the rope part, shared by all heads
    pub n_rope: i32,
    /// width of a head's value
    pub n_value: i32,
    /// width of the latent
    pub n_latent: i32,
}
impl Default for mla_cache_shape {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// Called once when memory that was lent is no longer used, on the thread that frees the last object that needed it.
pub type mla_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_kv_cache_options {
    pub struct_size: usize,
    /// MLA_CACHE_EXPANDED for MLA_ATTENTION_DEEPSEEK2, else MLA_CACHE_LATENT
    pub layout: mla_cache_layout,
    /// token rows in all sequences together, rounded up to pages of 64; 0: 4096
    pub n_ctx: i32,
    /// latent rows, or keys of the expanded layout
    pub type_k: mla_cache_type,
    /// values of the expanded layout; the latent layout has none
    pub type_v: mla_cache_type,
    /// copied; NULL: the library's own
    pub allocator: *const mla_allocator,
}
impl Default for mla_kv_cache_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// In the place of a sequence id: all of them.
pub const MLA_ALL_SEQUENCES: c_int = -1;

/// What MLA_ATTENTION_AUTO chooses by: nanoseconds that attention takes for all heads of one layer, on the threads that read prompts
/// (docs/attention.md). They come from mla_context_attention_rates(), or from `mla-bench --explain`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_attention_rates {
    pub struct_size: usize,
    /// whatever the number of tokens
    pub expanded_start: f64,
    /// a new token meets a key, expanded form
    pub expanded_pair: f64,
    /// key and value of every head are made from a latent row
    pub expanded_key: f64,
    /// whatever the number of tokens
    pub absorbed_start: f64,
    /// a new token meets a latent row, absorbed form
    pub absorbed_pair: f64,
    /// a new token's queries are taken into latent space, and what they find out of it
    pub absorbed_query: f64,
}
impl Default for mla_attention_rates {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_context_options {
    pub struct_size: usize,
    pub attention: mla_attention_mode,
    /// rows of the cache that the context makes for itself; 0: 4096
    pub n_ctx: i32,
    /// tokens computed at once; longer batches are cut; 0: 2048, or n_ctx if that is less
    pub n_ubatch: i32,
    pub cache_type_k: mla_cache_type,
    pub cache_type_v: mla_cache_type,
    /// for one token at a time; 0: one for each physical core that this thread may use
    pub n_threads: i32,
    /// a cache to use instead of an own one; not copied, kept alive by the context
    pub cache: *mut mla_kv_cache,
    /// copied; NULL: the context's own
    pub thread_pool: *const mla_thread_pool,
    /// copied; NULL: the library's own
    pub allocator: *const mla_allocator,
    /// nonzero stops the computation with MLA_ABORTED
    pub abort: mla_abort_fn,
    pub abort_user_data: *mut c_void,
    /// for several tokens at a time; 0: n_threads
    pub n_threads_batch: i32,
    /// nonzero: bind each thread of the context's own to a processor; never the calling thread
    pub pin_threads: i32,
    /// Nonzero: logits are the same to the last bit whatever the number of threads, the length of batches and ubatches, the sequences beside, and
    /// what was in the cache already; on the same processor, with the same library. Prompts take longer: docs/attention.md.
    pub deterministic: i32,
    /// Copied. NULL: measured when a batch first asks for a choice, once for a model, row type and number of threads. With given rates the choice,
    /// and with it every bit of the logits, is the same in every process. All 0: always the expanded form for several tokens.
    pub attention_rates: *const mla_attention_rates,
}
impl Default for mla_context_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// The tokens of one mla_context_decode(). Rows of one sequence must come in rising position.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_batch {
    pub struct_size: usize,
    /// rows, at least 1
    pub n: i32,
    /// \[n], or NULL if `embeddings` is set
    pub tokens: *const mla_token,
    /// \[n, n_embd] input vectors instead of tokens, or NULL
    pub embeddings: *const f32,
    /// \[n]; NULL: each row follows the last one of its sequence
    pub positions: *const mla_position,
    /// \[n]; NULL: all of sequence 0
    pub sequences: *const mla_sequence_id,
    /// \[n]; nonzero: compute the logits of this row; NULL: of the last row only
    pub logits: *const u8,
    /// \[n]; nonzero: keep the embedding of this row; NULL: of none
    pub keep_embedding: *const u8,
}
impl Default for mla_batch {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// What running a model takes, in bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_memory_need {
    pub struct_size: usize,
    /// the tensors, mapped: pages that the system may drop and read again
    pub weights: u64,
    /// of them, those that MLA_REPACK_AUTO copies, if they fit; pages of the file are then let go
    pub repacked: u64,
    /// matrices that the file lacks
    pub derived: u64,
    /// with all its rows in use
    pub cache: u64,
    /// activations, scratch of the threads, logits of one row
    pub context: u64,
    /// what this process may take now; UINT64_MAX: nothing says
    pub room: u64,
    /// what sets that: "the machine", "the control group /a/b"; borrowed, until the next such call of this thread
    pub limit: *const c_char,
}
impl Default for mla_memory_need {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// A length of text that means: up to the terminating zero.
pub const MLA_NUL_TERMINATED: usize = usize::MAX;

/// Flags of mla_tokenizer_encode().
pub const MLA_ENCODE_DEFAULT: u32 = 0;
/// do not add the bos and eos tokens that the model wants
pub const MLA_ENCODE_NO_SPECIAL: u32 = 1;
/// text that reads like a control token becomes that token: never for text from a user
pub const MLA_ENCODE_PARSE_SPECIAL: u32 = 2;

/// What a vocabulary entry is.
pub type mla_token_kind = c_uint;
pub const MLA_TOKEN_NORMAL: mla_token_kind = 1;
pub const MLA_TOKEN_UNKNOWN: mla_token_kind = 2;
/// steers the model
pub const MLA_TOKEN_CONTROL: mla_token_kind = 3;
/// always matched whole in text
pub const MLA_TOKEN_USER_DEFINED: mla_token_kind = 4;
pub const MLA_TOKEN_UNUSED: mla_token_kind = 5;
pub const MLA_TOKEN_BYTE: mla_token_kind = 6;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_chat_message {
    /// "system", "user", "assistant", "tool"
    pub role: *const c_char,
    /// zero-terminated UTF-8
    pub content: *const c_char,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_chat_options {
    pub struct_size: usize,
    /// nonzero: do not end with the prefix of an assistant turn
    pub no_generation_prompt: i32,
    /// text of these tokens; NULL: "", or with mla_chat_encode() the tokenizer's own
    pub bos_token: *const c_char,
    pub eos_token: *const c_char,
    /// a JSON object of further template variables (tools, thinking, …), or NULL
    pub extra_json: *const c_char,
}
impl Default for mla_chat_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_logit_bias {
    pub token: mla_token,
    /// added to its logit; -INFINITY bans it
    pub bias: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_token_probability {
    pub token: mla_token,
    pub probability: f64,
}

/// A host stage, after bias and penalties: lowers logits \[n_vocab] in place, or bans tokens with -INFINITY (a grammar).
/// Return 0 to go on; anything else makes the call fail with MLA_ABORTED, the sampler being as it was before.
pub type mla_mask_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, logits: *mut f32, n_vocab: i32) -> c_int>;

/// The chain, in the order of \<mla/sampler.hpp>. The same seed gives the same tokens on every machine.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_sampler_options {
    pub struct_size: usize,
    pub seed: u64,
    /// nonzero: always the largest logit; the temperature is then not used
    pub greedy: i32,
    /// divides the logits; 0: 0.8
    pub temperature: f32,
    /// keep the k largest; 0: 40; -1: all
    pub top_k: i32,
    /// keep the most likely that together reach p; 0: 0.95; 1: all
    pub top_p: f32,
    /// keep what is at least this share of the most likely one; 0: 0.05; -1: all
    pub min_p: f32,
    /// keep those closest to the expected surprise that together reach p; 0 or 1: all
    pub typical_p: f32,
    /// divides positive logits of tokens in the window, multiplies others; 0 or 1: none
    pub repeat_penalty: f32,
    /// subtracted from the logit of every token in the window
    pub presence_penalty: f32,
    /// subtracted as many times as the token occurs in the window
    pub frequency_penalty: f32,
    /// the window: the last n accepted tokens; 0: 64; -1: all
    pub penalty_last_n: i32,
    /// 2: Mirostat 2.0 instead of the four filters; 0: off
    pub mirostat: i32,
    /// the surprise to hold, in bits; 0: 5
    pub mirostat_tau: f32,
    /// learning rate; 0: 0.1
    pub mirostat_eta: f32,
    /// \[n_logit_bias]
    pub logit_bias: *const mla_logit_bias,
    pub n_logit_bias: usize,
    pub mask: mla_mask_fn,
    pub mask_user_data: *mut c_void,
}
impl Default for mla_sampler_options {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_step {
    pub struct_size: usize,
    /// in and out: the last token of the text
    pub token: mla_token,
    /// in and out: nonzero: `token` is yet to be computed; 0, as behind a prompt that was decoded: its logits are there
    pub pending: i32,
    /// it goes behind the last position of this one
    pub sequence: mla_sequence_id,
    /// picks the next token and accepts it; required
    pub sampler: *mut mla_sampler,
    /// turns it into text; NULL: none is wanted
    pub stream: *mut mla_text_stream,
    /// out: as mla_text_stream_push() hands it out; NULL without a stream
    pub text: *const c_char,
    /// out: of `text`
    pub n_bytes: usize,
    /// out: 1 if the token ends an answer: it was neither accepted nor made text
    pub end: i32,
}
impl Default for mla_step {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

/// Totals of one operation over all layers and calls of mla_context_decode(). docs/benchmarks.md explains the names.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_op_timing {
    /// "q", "kv_a", "kq", "experts_gate_up", ...; static
    pub name: *const c_char,
    /// wall time; inside attention, time of all threads divided by their number
    pub seconds: f64,
    /// inside attention, tiles
    pub calls: u64,
    /// of weights read, or of cache rows read or written
    pub bytes: u64,
    /// two for each multiply-add of a matrix product
    pub operations: u64,
}

/// What this machine can do at most, all threads together, per second; an operation is a multiplication or an addition.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mla_machine_rates {
    pub struct_size: usize,
    /// memory read in order
    pub read_bytes: f64,
    /// dense f32 matrix product
    pub f32_operations: f64,
    /// dense product of bytes
    pub int8_operations: f64,
}
impl Default for mla_machine_rates {
    /// What the header's initialiser macro sets: the size, and zeros.
    fn default() -> Self {
        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.
        Self { struct_size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
    }
}

extern "C" {
    /// A short English name, such as "bad file"; "unknown status" for a number that is none. Static.
    pub fn mla_status_name(status: mla_status) -> *const c_char;
    /// The message of the last call of this thread that failed: one line that names the file, tensor, key or argument
    /// and, where there is one, the remedy. Empty if none has failed. Calls that succeed leave it as it is.
    /// Borrowed; valid until the next call of this thread that fails.
    pub fn mla_last_error() -> *const c_char;
    /// The version of the library, such as "0.1.0". Static.
    pub fn mla_version() -> *const c_char;
    /// The instruction set that the kernels use: "scalar", "avx2", "avx512". Static.
    /// NULL if the environment variable MLA_ISA names none, or one that this processor lacks.
    pub fn mla_isa_name() -> *const c_char;
    /// Frees memory that a function of this library handed out with the words "free it with mla_free()".
    pub fn mla_free(memory: *mut c_void);
    /// Threads that this thread may keep busy with profit: one for each physical core that it may use.
    pub fn mla_default_threads() -> i32;
    /// A pool of the library's own threads for several contexts, whose operations take turns on it: put it into their options.
    /// Free it with mla_thread_pool_free(), in any order: the threads end with the last context that uses them.
    /// Fails with MLA_INVALID_ARGUMENT, _OUT_OF_MEMORY (a thread can't be started).
    pub fn mla_thread_pool_new(out: *mut *mut mla_thread_pool, options: *const mla_thread_pool_options) -> mla_status;
    /// Only for what mla_thread_pool_new() made.
    pub fn mla_thread_pool_free(pool: *mut mla_thread_pool);
    /// Opens a GGUF file (of a split model any part may be named) or a Hugging Face folder. Free it with mla_model_free().
    /// Fails with MLA_NOT_FOUND, _IO_ERROR, _BAD_FILE, _UNSUPPORTED, _OUT_OF_MEMORY, _ABORTED, _INVALID_ARGUMENT.
    pub fn mla_model_load(out: *mut *mut mla_model, path: *const c_char, options: *const mla_model_options) -> mla_status;
    /// The same for the GGUF file that an open descriptor refers to (a memfd, say, or one that another process passed), from its beginning;
    /// the descriptor may be closed then. MLA_UNSUPPORTED for a part of a split model.
    pub fn mla_model_load_fd(out: *mut *mut mla_model, fd: c_int, options: *const mla_model_options) -> mla_status;
    /// The same for a GGUF file in memory, which is not copied if its address is a multiple of 32: it must not change, and must stay until
    /// release() is called, which may be NULL. Otherwise it is copied, and released before this returns. If the call fails, release() isn't
    /// called. MLA_UNSUPPORTED for a part of a split model.
    pub fn mla_model_load_memory(out: *mut *mut mla_model, data: *const c_void, n_bytes: usize, release: mla_release_fn, release_user_data: *mut c_void, options: *const mla_model_options) -> mla_status;
    pub fn mla_model_free(model: *mut mla_model);
    /// Fills `info` up to its struct_size.
    pub fn mla_model_get_info(info: *mut mla_model_info, model: *const mla_model) -> mla_status;
    /// Fills `shape` up to its struct_size.
    pub fn mla_model_cache_shape(shape: *mut mla_cache_shape, model: *const mla_model) -> mla_status;
    /// The model's tokenizer; borrowed, as long as the model is not freed. MLA_UNSUPPORTED if the file has none that this
    /// version knows; such a model still runs on token ids.
    pub fn mla_model_tokenizer(out: *mut *const mla_tokenizer, model: *const mla_model) -> mla_status;
    /// The source (Jinja) of the file's chat template, "" if it has none; borrowed, as long as the model. NULL for a NULL model.
    pub fn mla_model_chat_template(model: *const mla_model) -> *const c_char;
    /// An empty cache for models of this shape. Memory for pages is taken as they are first needed and kept for reuse.
    /// Free it with mla_kv_cache_free(). Fails with MLA_INVALID_ARGUMENT, _OUT_OF_MEMORY.
    pub fn mla_kv_cache_new(out: *mut *mut mla_kv_cache, shape: *const mla_cache_shape, options: *const mla_kv_cache_options) -> mla_status;
    pub fn mla_kv_cache_free(cache: *mut mla_kv_cache);
    /// Bytes that such a cache takes when its n_ctx rows are all in use; allocates nothing.
    pub fn mla_kv_cache_bytes_at_capacity(out: *mut u64, shape: *const mla_cache_shape, options: *const mla_kv_cache_options) -> mla_status;
    /// Bytes of the pages that sequences refer to now; shared pages count once. 0 for NULL.
    pub fn mla_kv_cache_bytes(cache: *const mla_kv_cache) -> u64;
    /// Bytes that a token takes, all layers together. 0 for NULL.
    pub fn mla_kv_cache_row_bytes(cache: *const mla_kv_cache) -> u64;
    /// Pages of 64 rows that there can be, and that sequences refer to now. -1 for NULL.
    pub fn mla_kv_cache_n_pages(cache: *const mla_kv_cache) -> i32;
    pub fn mla_kv_cache_n_pages_used(cache: *const mla_kv_cache) -> i32;
    /// Tells the cache whose rows it holds; mla_context_new() does so. Needed before mla_kv_cache_seq_add(), and for saved states of other models to
    /// be refused. MLA_INVALID_ARGUMENT if the cache holds rows of another model.
    pub fn mla_kv_cache_bind(cache: *mut mla_kv_cache, model: *const mla_model) -> mla_status;
    /// Removes the positions p0 \<= p \< p1 of a sequence; p1 \< 0 means to its end. \*removed (may be NULL) tells if it had any.
    pub fn mla_kv_cache_seq_rm(removed: *mut i32, cache: *mut mla_kv_cache, seq: mla_sequence_id, p0: mla_position, p1: mla_position) -> mla_status;
    /// Replaces sequence `to` by a copy of positions p0 \<= p \< p1 of `from`, sharing memory.
    pub fn mla_kv_cache_seq_cp(cache: *mut mla_kv_cache, from: mla_sequence_id, to: mla_sequence_id, p0: mla_position, p1: mla_position) -> mla_status;
    /// Removes every sequence but this one.
    pub fn mla_kv_cache_seq_keep(cache: *mut mla_kv_cache, seq: mla_sequence_id) -> mla_status;
    /// Removes every sequence.
    pub fn mla_kv_cache_clear(cache: *mut mla_kv_cache) -> mla_status;
    /// Context shift: moves the positions p0 \<= p \< p1 of a sequence (p1 \< 0: to its end) by delta, keys included; shared memory is copied first.
    /// MLA_INVALID_ARGUMENT if positions would fall below 0 or out of order, or nothing has bound the cache to a model; MLA_CACHE_FULL,
    /// _OUT_OF_MEMORY. The cache is then as it was.
    pub fn mla_kv_cache_seq_add(cache: *mut mla_kv_cache, seq: mla_sequence_id, p0: mla_position, p1: mla_position, delta: i32) -> mla_status;
    /// Packs rows into as few pages as possible and gives all pages that are not in use back to the allocator.
    pub fn mla_kv_cache_defrag(cache: *mut mla_kv_cache) -> mla_status;
    /// Makes sequence `to` the longest beginning of tokens \[n_tokens] (at positions 0, 1, 2, ...) that the cache holds in any sequence, sharing its
    /// memory; \*n_reused tells how many tokens that is. Decode the others behind them; leave out the last token if you want its logits.
    pub fn mla_kv_cache_reuse_prefix(n_reused: *mut i32, cache: *mut mla_kv_cache, to: mla_sequence_id, tokens: *const mla_token, n_tokens: usize) -> mla_status;
    /// Writes a sequence, or MLA_ALL_SEQUENCES, to a file that any machine can load; a file of that name is replaced once the new one is whole.
    /// Fails with MLA_INVALID_ARGUMENT (an empty sequence), _IO_ERROR, _NOT_FOUND (no such folder), _OUT_OF_MEMORY.
    pub fn mla_kv_cache_save(cache: *const mla_kv_cache, path: *const c_char, seq: mla_sequence_id) -> mla_status;
    /// The same to memory of \*n_bytes bytes: free it with mla_free().
    pub fn mla_kv_cache_save_memory(out: *mut *mut c_void, n_bytes: *mut usize, cache: *const mla_kv_cache, seq: mla_sequence_id) -> mla_status;
    /// Replaces sequence `seq` by the one that was saved, or MLA_ALL_SEQUENCES by all that were. Wants room for it beside what it replaces.
    /// Fails with MLA_BAD_FILE (damaged), _UNSUPPORTED (a newer version), _INVALID_ARGUMENT (of another model, layout or row type, or not one
    /// sequence), _NOT_FOUND, _IO_ERROR, _CACHE_FULL, _OUT_OF_MEMORY; the cache is then as it was.
    pub fn mla_kv_cache_load(cache: *mut mla_kv_cache, path: *const c_char, seq: mla_sequence_id) -> mla_status;
    pub fn mla_kv_cache_load_memory(cache: *mut mla_kv_cache, state: *const c_void, n_bytes: usize, seq: mla_sequence_id) -> mla_status;
    /// Fills `shape` and `options` up to their struct_size with what the cache was made with; the allocator is not told.
    pub fn mla_kv_cache_shape(shape: *mut mla_cache_shape, cache: *const mla_kv_cache) -> mla_status;
    pub fn mla_kv_cache_get_options(options: *mut mla_kv_cache_options, cache: *const mla_kv_cache) -> mla_status;
    /// Rows of the sequence; -1 for a NULL cache.
    pub fn mla_kv_cache_seq_len(cache: *const mla_kv_cache, seq: mla_sequence_id) -> i32;
    /// Smallest and largest position of the sequence; -1 if it is empty.
    pub fn mla_kv_cache_seq_pos_min(cache: *const mla_kv_cache, seq: mla_sequence_id) -> mla_position;
    pub fn mla_kv_cache_seq_pos_max(cache: *const mla_kv_cache, seq: mla_sequence_id) -> mla_position;
    /// Free it with mla_context_free(). Fails with MLA_INVALID_ARGUMENT (sizes, or a cache of another shape or layout),
    /// MLA_OUT_OF_MEMORY.
    pub fn mla_context_new(out: *mut *mut mla_context, model: *const mla_model, options: *const mla_context_options) -> mla_status;
    /// A context that is computing, on another thread or in whose callback this is called, is not freed: mla_last_error() tells.
    pub fn mla_context_free(context: *mut mla_context);
    /// Fills `need` up to its struct_size for a context with these options on the model of a GGUF file, of which only headers are read; nothing
    /// is allocated. Fails like mla_model_load() and mla_context_new().
    pub fn mla_context_memory_need(need: *mut mla_memory_need, path: *const c_char, options: *const mla_context_options) -> mla_status;
    /// Memory that the context holds now: activations, scratch of its threads, logits and embeddings, not its cache's. 0 for NULL.
    pub fn mla_context_bytes(context: *const mla_context) -> u64;
    /// Fills `rates` up to its struct_size: what was given, or was measured for this context or another on the same model. All 0 as long as no batch
    /// of several tokens of one sequence has asked for a choice, and in the other modes.
    pub fn mla_context_attention_rates(rates: *mut mla_attention_rates, context: *const mla_context) -> mla_status;
    /// Adds the batch to the cache and computes the logits it asks for. Fails with MLA_INVALID_ARGUMENT, _CACHE_FULL,
    /// _ABORTED, _OUT_OF_MEMORY; the cache is then as it was before the call, and there are no logits.
    pub fn mla_context_decode(context: *mut mla_context, batch: *const mla_batch) -> mla_status;
    /// Logits \[n_vocab] of the last row of the last batch that asked for them; borrowed, until the next decode.
    pub fn mla_context_logits(out: *mut *const f32, context: *const mla_context) -> mla_status;
    /// Logits \[n_vocab] of row i of the last batch; MLA_INVALID_ARGUMENT if it asked for none. Borrowed, until the next decode.
    pub fn mla_context_logits_of_row(out: *mut *const f32, context: *const mla_context, row: i32) -> mla_status;
    /// The embedding \[n_embd] of row i of the last batch: the normalised state behind the last layer, which the output matrix would turn into logits.
    /// MLA_INVALID_ARGUMENT if mla_batch.keep_embedding didn't ask for it. Borrowed, until the next decode.
    pub fn mla_context_embedding(out: *mut *const f32, context: *const mla_context, row: i32) -> mla_status;
    /// The cache that the context works on; borrowed, as long as the context. NULL for NULL.
    pub fn mla_context_cache(context: *mut mla_context) -> *mut mla_kv_cache;
    /// Threads that compute one token at a time; -1 for NULL.
    pub fn mla_context_n_threads(context: *const mla_context) -> i32;
    /// Threads that compute several tokens at a time; -1 for NULL.
    pub fn mla_context_n_threads_batch(context: *const mla_context) -> i32;
    /// Makes a running mla_context_decode() stop with MLA_ABORTED within 200 ms; from any thread. Without effect on later calls.
    pub fn mla_context_abort(context: *mut mla_context) -> mla_status;
    /// Token ids of a text of `n_bytes` bytes (or MLA_NUL_TERMINATED). Ill-formed UTF-8 is read as U+FFFD.
    /// \*out is an array of \*n_out ids: free it with mla_free().
    pub fn mla_tokenizer_encode(out: *mut *mut mla_token, n_out: *mut usize, tokenizer: *const mla_tokenizer, text: *const c_char, n_bytes: usize, flags: u32) -> mla_status;
    /// The text of tokens \[n_tokens]: \*n_bytes bytes (n_bytes may be NULL) and a terminating zero; free it with mla_free().
    /// It need not be whole UTF-8 if the tokens are not: a text stream takes care of that. Control tokens only if
    /// show_special is nonzero. MLA_INVALID_ARGUMENT for an id that isn't there.
    pub fn mla_tokenizer_decode(out: *mut *mut c_char, n_bytes: *mut usize, tokenizer: *const mla_tokenizer, tokens: *const mla_token, n_tokens: usize, show_special: i32) -> mla_status;
    /// The bytes of one token, whatever its kind, not zero-terminated; borrowed, as long as the tokenizer.
    pub fn mla_tokenizer_piece(out: *mut *const c_char, n_bytes: *mut usize, tokenizer: *const mla_tokenizer, token: mla_token) -> mla_status;
    pub fn mla_tokenizer_kind(out: *mut mla_token_kind, tokenizer: *const mla_tokenizer, token: mla_token) -> mla_status;
    /// The token with exactly these bytes, a control or user-defined one first; -1 if there is none.
    pub fn mla_tokenizer_find(tokenizer: *const mla_tokenizer, text: *const c_char, n_bytes: usize) -> mla_token;
    /// Tokens in the vocabulary; -1 for NULL.
    pub fn mla_tokenizer_size(tokenizer: *const mla_tokenizer) -> i32;
    /// Special tokens; -1: none.
    pub fn mla_tokenizer_bos(tokenizer: *const mla_tokenizer) -> mla_token;
    pub fn mla_tokenizer_eos(tokenizer: *const mla_tokenizer) -> mla_token;
    pub fn mla_tokenizer_pad(tokenizer: *const mla_tokenizer) -> mla_token;
    pub fn mla_tokenizer_unknown(tokenizer: *const mla_tokenizer) -> mla_token;
    /// 1 if encode adds the token by default, else 0; -1 for NULL.
    pub fn mla_tokenizer_add_bos(tokenizer: *const mla_tokenizer) -> i32;
    pub fn mla_tokenizer_add_eos(tokenizer: *const mla_tokenizer) -> i32;
    /// 1 if the token ends an answer, else 0; -1 for NULL.
    pub fn mla_tokenizer_is_end_of_generation(tokenizer: *const mla_tokenizer, token: mla_token) -> i32;
    /// Name of the pre-tokeniser; borrowed, as long as the tokenizer. NULL for NULL.
    pub fn mla_tokenizer_pre(tokenizer: *const mla_tokenizer) -> *const c_char;
    /// Turns tokens into text one by one and never emits half a UTF-8 character. Free it with mla_text_stream_free().
    pub fn mla_text_stream_new(out: *mut *mut mla_text_stream, tokenizer: *const mla_tokenizer, show_special: i32) -> mla_status;
    pub fn mla_text_stream_free(stream: *mut mla_text_stream);
    /// The text that became complete with this token, often empty: \*n_bytes bytes (n_bytes may be NULL) and a terminating zero.
    /// Borrowed, until the next call with this stream.
    pub fn mla_text_stream_push(out: *mut *const c_char, n_bytes: *mut usize, stream: *mut mla_text_stream, token: mla_token) -> mla_status;
    /// What is left: an unfinished character becomes U+FFFD. The stream can then be used anew. Borrowed as above.
    pub fn mla_text_stream_finish(out: *mut *const c_char, n_bytes: *mut usize, stream: *mut mla_text_stream) -> mla_status;
    /// Parses a template (Jinja). Immutable. Free it with mla_chat_template_free(). Fails with MLA_BAD_FILE (syntax) or
    /// MLA_UNSUPPORTED (a construct that this version lacks), naming the line.
    pub fn mla_chat_template_new(out: *mut *mut mla_chat_template, jinja_source: *const c_char) -> mla_status;
    pub fn mla_chat_template_free(chat_template: *mut mla_chat_template);
    /// The text of a conversation \[n_messages]: \*n_bytes bytes (n_bytes may be NULL) and a terminating zero; free it with
    /// mla_free(). MLA_INVALID_ARGUMENT, with the template's own words, if the template refuses the conversation.
    pub fn mla_chat_render(out: *mut *mut c_char, n_bytes: *mut usize, chat_template: *const mla_chat_template, messages: *const mla_chat_message, n_messages: usize, options: *const mla_chat_options) -> mla_status;
    /// The same for an OpenAI-style JSON array of messages, with tool_calls, reasoning_content, …
    pub fn mla_chat_render_json(out: *mut *mut c_char, n_bytes: *mut usize, chat_template: *const mla_chat_template, messages_json: *const c_char, options: *const mla_chat_options) -> mla_status;
    /// The token ids of a conversation, ready for mla_context_decode(): control tokens that the template writes become tokens;
    /// the same characters inside a message, however they got there, stay text. Nothing is added to what the template writes:
    /// no second bos. \*out is an array of \*n_out ids: free it with mla_free().
    pub fn mla_chat_encode(out: *mut *mut mla_token, n_out: *mut usize, chat_template: *const mla_chat_template, tokenizer: *const mla_tokenizer, messages: *const mla_chat_message, n_messages: usize, options: *const mla_chat_options) -> mla_status;
    pub fn mla_chat_encode_json(out: *mut *mut mla_token, n_out: *mut usize, chat_template: *const mla_chat_template, tokenizer: *const mla_tokenizer, messages_json: *const c_char, options: *const mla_chat_options) -> mla_status;
    /// Free it with mla_sampler_free(). MLA_INVALID_ARGUMENT names the option and its range.
    pub fn mla_sampler_new(out: *mut *mut mla_sampler, options: *const mla_sampler_options) -> mla_status;
    pub fn mla_sampler_free(sampler: *mut mla_sampler);
    /// A sampler that goes on exactly as this one would. Free it with mla_sampler_free().
    pub fn mla_sampler_copy(out: *mut *mut mla_sampler, sampler: *const mla_sampler) -> mla_status;
    /// The next token, from logits \[n_vocab]. Does not accept it. A call that fails changes nothing; \*out is then -1.
    /// MLA_INVALID_ARGUMENT if the logits hold NaN or +INFINITY, or every token is banned.
    pub fn mla_sampler_sample(out: *mut mla_token, sampler: *mut mla_sampler, logits: *const f32, n_vocab: i32) -> mla_status;
    /// What sample would draw from, most likely first; adds up to 1. Changes nothing. \*out is an array of \*n_out entries:
    /// free it with mla_free().
    pub fn mla_sampler_probabilities(out: *mut *mut mla_token_probability, n_out: *mut usize, sampler: *mut mla_sampler, logits: *const f32, n_vocab: i32) -> mla_status;
    /// Puts a token, of the prompt or sampled, into the window of the penalties.
    pub fn mla_sampler_accept(sampler: *mut mla_sampler, token: mla_token) -> mla_status;
    /// Back to how it was made: seed, empty window.
    pub fn mla_sampler_reset(sampler: *mut mla_sampler) -> mla_status;
    /// The largest surprise that mirostat lets through now, in bits; -1 for NULL.
    pub fn mla_sampler_mirostat_mu(sampler: *const mla_sampler) -> f64;
    /// Computes the pending token, samples the next one from the last logits, and unless it ends the answer turns it into text and accepts it. Decode
    /// the prompt, then call this with one struct for each token of the text. Fails as the calls that it stands for do. `pending` then
    /// tells if the token was computed, so that the same call takes the step up again.
    pub fn mla_context_step(step: *mut mla_step, context: *mut mla_context) -> mla_status;
    /// Nonzero: keep timings from the next decode on, which costs some clock reads per layer; 0, as at first: no more.
    pub fn mla_context_time_ops(context: *mut mla_context, on: i32) -> mla_status;
    /// What was kept since the context was made or the timings were reset: operations that ran, in the order of the forward pass; their seconds add up
    /// to the time spent computing. \*out is an array of \*n_out entries: free it with mla_free().
    pub fn mla_context_op_timings(out: *mut *mut mla_op_timing, n_out: *mut usize, context: *const mla_context) -> mla_status;
    pub fn mla_context_reset_op_timings(context: *mut mla_context) -> mla_status;
    /// Appends n rows of random values to a sequence, behind its last position, as if n tokens had been computed: the cost of attention doesn't
    /// depend on the values. MLA_INVALID_ARGUMENT, _CACHE_FULL, _OUT_OF_MEMORY; the cache is then as it was.
    pub fn mla_kv_cache_fill_random(cache: *mut mla_kv_cache, seq: mla_sequence_id, n: i32, seed: u64) -> mla_status;
    /// Measures them in about a second on n_threads threads (0: the processors that this process may use) with half a GiB of memory, and fills `rates`
    /// up to its struct_size.
    pub fn mla_machine_measure(rates: *mut mla_machine_rates, n_threads: i32) -> mla_status;
}
