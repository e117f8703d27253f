/* libmla: DeepSeek-family language models on CPUs. The C interface: a stable ABI for every other language.
 *
 * Every function that can fail returns an mla_status and hands its result out through its first argument, which is
 * set to NULL (or 0) when it fails. mla_last_error() then says what went wrong and what to do.
 * Functions that only read a property return it directly; for a NULL object they return what each one says.
 * mla_*_free(NULL) does nothing. No function prints, ends the process or lets a C++ exception out.
 *
 * Options structs begin with struct_size and grow only at their end: initialise them with their MLA_*_INIT macro
 * and set what you need. In each of them zero (or NULL) means the default. A program that was compiled with an older
 * header passes a smaller struct and gets the defaults of what it does not know; one compiled with a newer header is
 * refused (MLA_UNSUPPORTED) if it sets what this library does not know. A NULL options pointer means all defaults.
 *
 * Threads: a model, its tokenizer and a chat template may be used by any number of threads at once. A context, a
 * cache, a sampler and a text stream belong to one thread at a time; mla_context_abort() may be called from any. A call
 * that meets another one at work on the same object, on another thread or in a callback of that very call, is refused
 * with MLA_INVALID_ARGUMENT. Reading a property of a cache doesn't notice.
 *
 * fork(): threads stay in the parent. In the child a context and a thread pool of the parent don't compute
 * (MLA_UNSUPPORTED) but may be freed; its models and caches may be used by new contexts, unless one was computing with the
 * cache at that moment.
 *
 * Stability: this header only grows within a SONAME (docs/api-stability.md). What may still change is in
 * <mla/mla_experimental.h>.
 *
 * Lifetimes: objects keep alive what they need (a context its model and cache, a stream its vocabulary), so they may
 * be freed in any order. What a function calls borrowed stays valid only as long as it says.
 * The user_data and the functions given as callbacks, allocator or thread pool must outlive every object made with
 * them, directly or through another object. Callbacks must return: a longjmp out of one is not allowed.
 */
#ifndef MLA_MLA_H
#define MLA_MLA_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MLA_API __attribute__((visibility("default")))
#else
#define MLA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors, version, memory ------------------------------------------------------------------------------------ */

/* Why a call failed. The numbers never change. */
typedef enum mla_status {
  MLA_OK = 0,
  MLA_INVALID_ARGUMENT = 1, /* the caller passed something that can't be: NULL, a wrong size, an unknown sequence */
  MLA_NOT_FOUND = 2,        /* a file that isn't there */
  MLA_IO_ERROR = 3,         /* the operating system refused to read, write or map */
  MLA_BAD_FILE = 4,         /* a file that is truncated, damaged or contradicts itself */
  MLA_UNSUPPORTED = 5,      /* a valid file or request that this version can't serve */
  MLA_OUT_OF_MEMORY = 6,    /* an allocation failed; nothing was changed */
  MLA_CACHE_FULL = 7,       /* the KV cache has no room for the batch; nothing was changed */
  MLA_ABORTED = 8,          /* a progress or abort callback, or mla_context_abort(), asked to stop; nothing was changed */
  MLA_INTERNAL = 9          /* a bug in libmla */
} mla_status;

/* A short English name, such as "bad file"; "unknown status" for a number that is none. Static. */
MLA_API const char *mla_status_name(mla_status status);

/* The message of the last call of this thread that failed: one line that names the file, tensor, key or argument
 * and, where there is one, the remedy. Empty if none has failed. Calls that succeed leave it as it is.
 * Borrowed; valid until the next call of this thread that fails. */
MLA_API const char *mla_last_error(void);

/* The version of the library, such as "0.1.0". Static. */
MLA_API const char *mla_version(void);

/* The instruction set that the kernels use: "scalar", "avx2", "avx512". Static.
 * NULL if the environment variable MLA_ISA names none, or one that this processor lacks. */
MLA_API const char *mla_isa_name(void);

/* Frees memory that a function of this library handed out with the words "free it with mla_free()". */
MLA_API void mla_free(void *memory);

/* ---- Plain types ------------------------------------------------------------------------------------------------ */

typedef int32_t mla_token;       /* index into the vocabulary; -1: none */
typedef int32_t mla_position;    /* place of a token in its sequence, from 0 */
typedef int32_t mla_sequence_id; /* names a sequence in a cache; any value from 0 */

/* How attention is computed and what the KV cache holds. */
typedef enum mla_attention_mode {
  MLA_ATTENTION_AUTO = 0,        /* latent cache; expanded or absorbed mathematics, whichever is cheaper for the step */
  MLA_ATTENTION_DEEPSEEK2 = 1,   /* keys and values of every head in the cache, plain multi-head attention */
  MLA_ATTENTION_DEEPSEEK_MLA = 2 /* latent cache, absorbed mathematics always */
} mla_attention_mode;

/* What a row of the KV cache holds. */
typedef enum mla_cache_layout {
  MLA_CACHE_LATENT = 0,  /* the latent and the rope part: n_latent + n_rope values per token and layer */
  MLA_CACHE_EXPANDED = 1 /* keys and values of every head; what MLA_ATTENTION_DEEPSEEK2 needs */
} mla_cache_layout;

/* Number format of cache rows. */
typedef enum mla_cache_type {
  MLA_CACHE_TYPE_DEFAULT = 0, /* q16_row */
  MLA_CACHE_TYPE_F32 = 1,
  MLA_CACHE_TYPE_F16 = 2,
  MLA_CACHE_TYPE_BF16 = 3,
  MLA_CACHE_TYPE_Q8_0 = 4,  /* in this type and the three after it the rope part stays 16-bit */
  MLA_CACHE_TYPE_Q6_0 = 5,
  MLA_CACHE_TYPE_Q4_0 = 6,
  MLA_CACHE_TYPE_Q8_ROW = 7, /* 8 bits, one scale for a row, or for each head of the expanded layout */
  MLA_CACHE_TYPE_Q16_ROW = 8 /* 16 bits, likewise: finer than f16, and faster */
} mla_cache_type;

typedef enum mla_log_level { MLA_LOG_DEBUG = 0, MLA_LOG_INFO = 1, MLA_LOG_WARNING = 2, MLA_LOG_ERROR = 3 } mla_log_level;

/* How a machine with several memory nodes is used. On one with a single node all are the same. */
typedef enum mla_numa {
  MLA_NUMA_NONE = 0,       /* threads and memory wherever the system puts them */
  MLA_NUMA_DISTRIBUTE = 1, /* threads on all nodes, repacked weights page by page on all */
  MLA_NUMA_ISOLATE = 2,    /* threads and repacked weights on the node where the model is loaded */
  MLA_NUMA_NUMACTL = 3,    /* threads on the nodes that numactl allows, memory as it says */
  MLA_NUMA_SPLIT = 4,      /* every weight matrix and expert cut by rows into the nodes' memory */
  MLA_NUMA_REPLICATE = 5   /* a copy of the weights on each node */
} mla_numa;

typedef struct mla_model mla_model;
typedef struct mla_kv_cache mla_kv_cache;
typedef struct mla_context mla_context;
typedef struct mla_sampler mla_sampler;
typedef struct mla_tokenizer mla_tokenizer;
typedef struct mla_text_stream mla_text_stream;
typedef struct mla_chat_template mla_chat_template;

/* ---- What a host may replace ------------------------------------------------------------------------------------ */

/* Called now and then during long work with what is being done and how far it is. Return 0 to go on, else to stop. */
typedef int (*mla_progress_fn)(void *user_data, const char *phase, uint64_t done, uint64_t total);

/* Polled during computation, at least every 200 ms, on the thread that computes. Return 0 to go on, else to stop. */
typedef int (*mla_abort_fn)(void *user_data);

/* Receives a message (one line, no line end), on any thread that calls the library. */
typedef void (*mla_log_fn)(void *user_data, mla_log_level level, const char *message);

/* Where weights that are not mapped, cache pages and compute buffers come from. Called by one thread at a time for
 * each model, context or cache; thread-safe if several of them share it. */
typedef struct mla_allocator {
  size_t struct_size;
  /* `bytes` of memory aligned to `alignment` (a power of two, at least 64), or NULL when there is none. Required. */
  void *(*allocate)(void *user_data, size_t bytes, size_t alignment);
  /* Gives back what allocate() returned for the same `bytes`. Required. */
  void (*deallocate)(void *user_data, void *memory, size_t bytes);
  void *user_data;
} mla_allocator;
#define MLA_ALLOCATOR_INIT {sizeof(mla_allocator), NULL, NULL, NULL}

/* A task body: called with 0 <= task < n_tasks and 0 <= thread < n_threads. */
typedef void (*mla_task_fn)(void *data, int32_t task, int32_t thread);

/* Runs the tasks of one operation at a time for a context. */
typedef struct mla_thread_pool {
  size_t struct_size;
  int32_t n_threads; /* the largest number of tasks that run at once, at least 1 */
  /* Calls fn(data, task, thread) once for each task from 0 to n_tasks - 1, in any order and on any threads, and returns
   * when all have returned. Two tasks that run at the same time see different values of `thread`. Required. */
  void (*run)(void *user_data, int32_t n_tasks, mla_task_fn fn, void *data);
  void *user_data;
  /* Nonzero promises that run() with n_threads tasks runs all of them at the same time, each on a thread of its own, task 0 on the
   * calling thread. The library then calls run() once for a whole mla_context_decode() instead of once for each of its operations,
   * and its threads wait for each other inside; it hangs if the promise is broken. With 0, tasks never wait for other tasks. */
  int32_t concurrent;
} mla_thread_pool;
#define MLA_THREAD_POOL_INIT {sizeof(mla_thread_pool), 0, NULL, NULL, 0}

/* Threads that this thread may keep busy with profit: one for each physical core that it may use. */
MLA_API int32_t mla_default_threads(void);

typedef struct mla_thread_pool_options {
  size_t struct_size;
  int32_t n_threads;   /* the calling thread included; 0: mla_default_threads() */
  mla_numa numa;       /* where they run; what the model was loaded with */
  int32_t pin_threads; /* nonzero: bind each to a processor; never the calling thread */
} mla_thread_pool_options;
#define MLA_THREAD_POOL_OPTIONS_INIT {sizeof(mla_thread_pool_options), 0, MLA_NUMA_NONE, 0}

/* A pool of the library's own threads for several contexts, whose operations take turns on it: put it into their options.
 * Free it with mla_thread_pool_free(), in any order: the threads end with the last context that uses them.
 * Fails with MLA_INVALID_ARGUMENT, _OUT_OF_MEMORY (a thread can't be started). */
MLA_API mla_status mla_thread_pool_new(mla_thread_pool **out, const mla_thread_pool_options *options);
/* Only for what mla_thread_pool_new() made. */
MLA_API void mla_thread_pool_free(mla_thread_pool *pool);

/* ---- Model: weights, sizes and vocabulary of one file; immutable ------------------------------------------------- */

/* A metadata key to take instead of the file's. */
typedef struct mla_override {
  const char *key;   /* such as "deepseek2.expert_group_count" */
  const char *value; /* decimal text, "true" or "false" */
} mla_override;

/* Whether weights are put into the layout that the kernels read fastest when a model is loaded; the logits are the same. */
typedef enum mla_repack_mode {
  MLA_REPACK_AUTO = 0,   /* where it helps and the copy fits in memory; otherwise they are used in place, and the log says so */
  MLA_REPACK_ALWAYS = 1, /* MLA_OUT_OF_MEMORY, before any is taken, where the copy doesn't fit */
  MLA_REPACK_NEVER = 2   /* used in place */
} mla_repack_mode;

typedef struct mla_model_options {
  size_t struct_size;
  int32_t no_mmap;              /* nonzero: read the file into memory instead of mapping it */
  mla_progress_fn progress;     /* nonzero stops the load with MLA_ABORTED */
  void *progress_user_data;
  mla_log_fn log;               /* NULL: silence */
  void *log_user_data;
  const mla_allocator *allocator; /* copied; NULL: the library's own */
  const mla_override *overrides;  /* [n_overrides]; a key that the loader does not read is an error */
  size_t n_overrides;
  mla_repack_mode repack;
  int32_t no_huge_pages;          /* nonzero: don't ask for huge pages for repacked weights */
  int32_t n_threads;              /* that repack; 0: the processors this process may use. They end with the load */
  mla_numa numa;                  /* threads and memory on machines with several memory nodes; contexts follow the model */
  const char *load_type;          /* of a Hugging Face folder: the type that its matrices get in memory, "q8_0" say; NULL: used where they are */
} mla_model_options;
#define MLA_MODEL_OPTIONS_INIT {sizeof(mla_model_options), 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, MLA_REPACK_AUTO, 0, 0, MLA_NUMA_NONE, NULL}

/* Facts of a model. Set struct_size (MLA_MODEL_INFO_INIT) before the call; no more than that is written. */
typedef struct mla_model_info {
  size_t struct_size;
  const char *name;         /* general.name, may be empty; borrowed, as long as the model */
  const char *architecture; /* "deepseek2"; borrowed, as long as the model */
  int32_t n_vocab;
  int32_t n_embd;
  int32_t n_layers;
  int32_t n_ctx_train;      /* context length that the file states */
  int32_t n_experts;        /* routed experts of a layer; 0 for a dense model */
  int32_t n_experts_used;
  uint64_t n_parameters;
  uint64_t weight_bytes;    /* size of all tensors */
  uint64_t derived_bytes;   /* memory taken beside the file, for k_b that it lacks */
  uint64_t panel_bytes;     /* weights that the kernels read in their own layout: repacked, or so in the file */
  uint64_t repacked_bytes;  /* memory taken beside the file for repacked weights */
  uint64_t fingerprint;     /* tells models apart, as saved states do */
} mla_model_info;
#define MLA_MODEL_INFO_INIT {sizeof(mla_model_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* The sizes that a cache row depends on. */
typedef struct mla_cache_shape {
  size_t struct_size;
  int32_t n_layers;
  int32_t n_heads;
  int32_t n_nope;   /* width of a head's key without rope */
  int32_t n_rope;   /* width of the rope part, shared by all heads */
  int32_t n_value;  /* width of a head's value */
  int32_t n_latent; /* width of the latent */
} mla_cache_shape;
#define MLA_CACHE_SHAPE_INIT {sizeof(mla_cache_shape), 0, 0, 0, 0, 0, 0}

/* Opens a GGUF file (of a split model any part may be named) or a Hugging Face folder. Free it with mla_model_free().
 * Fails with MLA_NOT_FOUND, _IO_ERROR, _BAD_FILE, _UNSUPPORTED, _OUT_OF_MEMORY, _ABORTED, _INVALID_ARGUMENT. */
MLA_API mla_status mla_model_load(mla_model **out, const char *path, const mla_model_options *options);
/* The same for the GGUF file that an open descriptor refers to (a memfd, say, or one that another process passed), from its beginning;
 * the descriptor may be closed then. MLA_UNSUPPORTED for a part of a split model. */
MLA_API mla_status mla_model_load_fd(mla_model **out, int fd, const mla_model_options *options);
/* Called once when memory that was lent is no longer used, on the thread that frees the last object that needed it. */
typedef void (*mla_release_fn)(void *user_data);
/* The same for a GGUF file in memory, which is not copied if its address is a multiple of 32: it must not change, and must stay until
 * release() is called, which may be NULL. Otherwise it is copied, and released before this returns. If the call fails, release() isn't
 * called. MLA_UNSUPPORTED for a part of a split model. */
MLA_API mla_status mla_model_load_memory(mla_model **out, const void *data, size_t n_bytes, mla_release_fn release,
                                         void *release_user_data, const mla_model_options *options);
MLA_API void mla_model_free(mla_model *model);

/* Fills `info` up to its struct_size. */
MLA_API mla_status mla_model_get_info(mla_model_info *info, const mla_model *model);
/* Fills `shape` up to its struct_size. */
MLA_API mla_status mla_model_cache_shape(mla_cache_shape *shape, const mla_model *model);
/* The model's tokenizer; borrowed, as long as the model is not freed. MLA_UNSUPPORTED if the file has none that this
 * version knows; such a model still runs on token ids. */
MLA_API mla_status mla_model_tokenizer(const mla_tokenizer **out, const mla_model *model);
/* The source (Jinja) of the file's chat template, "" if it has none; borrowed, as long as the model. NULL for a NULL model. */
MLA_API const char *mla_model_chat_template(const mla_model *model);

/* ---- KV cache: keys and values of the sequences that a context works on ------------------------------------------ */

typedef struct mla_kv_cache_options {
  size_t struct_size;
  mla_cache_layout layout;        /* MLA_CACHE_EXPANDED for MLA_ATTENTION_DEEPSEEK2, else MLA_CACHE_LATENT */
  int32_t n_ctx;                  /* token rows in all sequences together, rounded up to pages of 64; 0: 4096 */
  mla_cache_type type_k;          /* latent rows, or keys of the expanded layout */
  mla_cache_type type_v;          /* values of the expanded layout; the latent layout has none */
  const mla_allocator *allocator; /* copied; NULL: the library's own */
} mla_kv_cache_options;
#define MLA_KV_CACHE_OPTIONS_INIT \
  {sizeof(mla_kv_cache_options), MLA_CACHE_LATENT, 0, MLA_CACHE_TYPE_DEFAULT, MLA_CACHE_TYPE_DEFAULT, NULL}

/* An empty cache for models of this shape. Memory for pages is taken as they are first needed and kept for reuse.
 * Free it with mla_kv_cache_free(). Fails with MLA_INVALID_ARGUMENT, _OUT_OF_MEMORY. */
MLA_API mla_status mla_kv_cache_new(mla_kv_cache **out, const mla_cache_shape *shape, const mla_kv_cache_options *options);
MLA_API void mla_kv_cache_free(mla_kv_cache *cache);

/* Bytes that such a cache takes when its n_ctx rows are all in use; allocates nothing. */
MLA_API mla_status mla_kv_cache_bytes_at_capacity(uint64_t *out, const mla_cache_shape *shape,
                                                  const mla_kv_cache_options *options);
/* Bytes of the pages that sequences refer to now; shared pages count once. 0 for NULL. */
MLA_API uint64_t mla_kv_cache_bytes(const mla_kv_cache *cache);
/* Bytes that a token takes, all layers together. 0 for NULL. */
MLA_API uint64_t mla_kv_cache_row_bytes(const mla_kv_cache *cache);
/* Pages of 64 rows that there can be, and that sequences refer to now. -1 for NULL. */
MLA_API int32_t mla_kv_cache_n_pages(const mla_kv_cache *cache);
MLA_API int32_t mla_kv_cache_n_pages_used(const mla_kv_cache *cache);

/* Tells the cache whose rows it holds; mla_context_new() does so. Needed before mla_kv_cache_seq_add(), and for saved states of other models to
 * be refused. MLA_INVALID_ARGUMENT if the cache holds rows of another model. */
MLA_API mla_status mla_kv_cache_bind(mla_kv_cache *cache, const mla_model *model);

/* Removes the positions p0 <= p < p1 of a sequence; p1 < 0 means to its end. *removed (may be NULL) tells if it had any. */
MLA_API mla_status mla_kv_cache_seq_rm(int32_t *removed, mla_kv_cache *cache, mla_sequence_id seq, mla_position p0,
                                       mla_position p1);
/* Replaces sequence `to` by a copy of positions p0 <= p < p1 of `from`, sharing memory. */
MLA_API mla_status mla_kv_cache_seq_cp(mla_kv_cache *cache, mla_sequence_id from, mla_sequence_id to, mla_position p0,
                                       mla_position p1);
/* Removes every sequence but this one. */
MLA_API mla_status mla_kv_cache_seq_keep(mla_kv_cache *cache, mla_sequence_id seq);
/* Removes every sequence. */
MLA_API mla_status mla_kv_cache_clear(mla_kv_cache *cache);
/* Context shift: moves the positions p0 <= p < p1 of a sequence (p1 < 0: to its end) by delta, keys included; shared memory is copied first.
 * MLA_INVALID_ARGUMENT if positions would fall below 0 or out of order, or nothing has bound the cache to a model; MLA_CACHE_FULL,
 * _OUT_OF_MEMORY. The cache is then as it was. */
MLA_API mla_status mla_kv_cache_seq_add(mla_kv_cache *cache, mla_sequence_id seq, mla_position p0, mla_position p1, int32_t delta);
/* Packs rows into as few pages as possible and gives all pages that are not in use back to the allocator. */
MLA_API mla_status mla_kv_cache_defrag(mla_kv_cache *cache);
/* Makes sequence `to` the longest beginning of tokens [n_tokens] (at positions 0, 1, 2, ...) that the cache holds in any sequence, sharing its
 * memory; *n_reused tells how many tokens that is. Decode the others behind them; leave out the last token if you want its logits. */
MLA_API mla_status mla_kv_cache_reuse_prefix(int32_t *n_reused, mla_kv_cache *cache, mla_sequence_id to, const mla_token *tokens,
                                             size_t n_tokens);

/* In the place of a sequence id: all of them. */
#define MLA_ALL_SEQUENCES (-1)
/* Writes a sequence, or MLA_ALL_SEQUENCES, to a file that any machine can load; a file of that name is replaced once the new one is whole.
 * Fails with MLA_INVALID_ARGUMENT (an empty sequence), _IO_ERROR, _NOT_FOUND (no such folder), _OUT_OF_MEMORY. */
MLA_API mla_status mla_kv_cache_save(const mla_kv_cache *cache, const char *path, mla_sequence_id seq);
/* The same to memory of *n_bytes bytes: free it with mla_free(). */
MLA_API mla_status mla_kv_cache_save_memory(void **out, size_t *n_bytes, const mla_kv_cache *cache, mla_sequence_id seq);
/* Replaces sequence `seq` by the one that was saved, or MLA_ALL_SEQUENCES by all that were. Wants room for it beside what it replaces.
 * Fails with MLA_BAD_FILE (damaged), _UNSUPPORTED (a newer version), _INVALID_ARGUMENT (of another model, layout or row type, or not one
 * sequence), _NOT_FOUND, _IO_ERROR, _CACHE_FULL, _OUT_OF_MEMORY; the cache is then as it was. */
MLA_API mla_status mla_kv_cache_load(mla_kv_cache *cache, const char *path, mla_sequence_id seq);
MLA_API mla_status mla_kv_cache_load_memory(mla_kv_cache *cache, const void *state, size_t n_bytes, mla_sequence_id seq);
/* Fills `shape` and `options` up to their struct_size with what the cache was made with; the allocator is not told. */
MLA_API mla_status mla_kv_cache_shape(mla_cache_shape *shape, const mla_kv_cache *cache);
MLA_API mla_status mla_kv_cache_get_options(mla_kv_cache_options *options, const mla_kv_cache *cache);
/* Rows of the sequence; -1 for a NULL cache. */
MLA_API int32_t mla_kv_cache_seq_len(const mla_kv_cache *cache, mla_sequence_id seq);
/* Smallest and largest position of the sequence; -1 if it is empty. */
MLA_API mla_position mla_kv_cache_seq_pos_min(const mla_kv_cache *cache, mla_sequence_id seq);
MLA_API mla_position mla_kv_cache_seq_pos_max(const mla_kv_cache *cache, mla_sequence_id seq);

/* What MLA_ATTENTION_AUTO chooses by: nanoseconds that attention takes for all heads of one layer, on the threads that read prompts
 * (docs/attention.md). They come from mla_context_attention_rates(), or from `mla-bench --explain`. */
typedef struct mla_attention_rates {
  size_t struct_size;
  double expanded_start; /* whatever the number of tokens */
  double expanded_pair;  /* a new token meets a key, expanded form */
  double expanded_key;   /* key and value of every head are made from a latent row */
  double absorbed_start; /* whatever the number of tokens */
  double absorbed_pair;  /* a new token meets a latent row, absorbed form */
  double absorbed_query; /* a new token's queries are taken into latent space, and what they find out of it */
} mla_attention_rates;
#define MLA_ATTENTION_RATES_INIT {sizeof(mla_attention_rates), 0, 0, 0, 0, 0, 0}

/* ---- Context: runs batches of tokens through a model ------------------------------------------------------------- */

typedef struct mla_context_options {
  size_t struct_size;
  mla_attention_mode attention;
  int32_t n_ctx;                      /* rows of the cache that the context makes for itself; 0: 4096 */
  int32_t n_ubatch;                   /* tokens computed at once; longer batches are cut; 0: 2048, or n_ctx if that is less */
  mla_cache_type cache_type_k;
  mla_cache_type cache_type_v;
  int32_t n_threads;                  /* for one token at a time; 0: one for each physical core that this thread may use */
  mla_kv_cache *cache;                /* a cache to use instead of an own one; not copied, kept alive by the context */
  const mla_thread_pool *thread_pool; /* copied; NULL: the context's own */
  const mla_allocator *allocator;     /* copied; NULL: the library's own */
  mla_abort_fn abort;                 /* nonzero stops the computation with MLA_ABORTED */
  void *abort_user_data;
  int32_t n_threads_batch;            /* for several tokens at a time; 0: n_threads */
  int32_t pin_threads;                /* nonzero: bind each thread of the context's own to a processor; never the calling thread */
  /* Nonzero: logits are the same to the last bit whatever the number of threads, the length of batches and ubatches, the sequences beside, and
   * what was in the cache already; on the same processor, with the same library. Prompts take longer: docs/attention.md. */
  int32_t deterministic;
  /* Copied. NULL: measured when a batch first asks for a choice, once for a model, row type and number of threads. With given rates the choice,
   * and with it every bit of the logits, is the same in every process. All 0: always the expanded form for several tokens. */
  const mla_attention_rates *attention_rates;
} mla_context_options;
#define MLA_CONTEXT_OPTIONS_INIT                                                                                      \
  {sizeof(mla_context_options), MLA_ATTENTION_AUTO, 0, 0, MLA_CACHE_TYPE_DEFAULT, MLA_CACHE_TYPE_DEFAULT, 0, NULL, \
   NULL, NULL, NULL, NULL, 0, 0, 0, NULL}

/* The tokens of one mla_context_decode(). Rows of one sequence must come in rising position. */
typedef struct mla_batch {
  size_t struct_size;
  int32_t n;                         /* rows, at least 1 */
  const mla_token *tokens;           /* [n], or NULL if `embeddings` is set */
  const float *embeddings;           /* [n, n_embd] input vectors instead of tokens, or NULL */
  const mla_position *positions;     /* [n]; NULL: each row follows the last one of its sequence */
  const mla_sequence_id *sequences;  /* [n]; NULL: all of sequence 0 */
  const uint8_t *logits;             /* [n]; nonzero: compute the logits of this row; NULL: of the last row only */
  const uint8_t *keep_embedding;     /* [n]; nonzero: keep the embedding of this row; NULL: of none */
} mla_batch;
#define MLA_BATCH_INIT {sizeof(mla_batch), 0, NULL, NULL, NULL, NULL, NULL, NULL}

/* Free it with mla_context_free(). Fails with MLA_INVALID_ARGUMENT (sizes, or a cache of another shape or layout),
 * MLA_OUT_OF_MEMORY. */
MLA_API mla_status mla_context_new(mla_context **out, const mla_model *model, const mla_context_options *options);
/* A context that is computing, on another thread or in whose callback this is called, is not freed: mla_last_error() tells. */
MLA_API void mla_context_free(mla_context *context);

/* What running a model takes, in bytes. */
typedef struct mla_memory_need {
  size_t struct_size;
  uint64_t weights;  /* the tensors, mapped: pages that the system may drop and read again */
  uint64_t repacked; /* of them, those that MLA_REPACK_AUTO copies, if they fit; pages of the file are then let go */
  uint64_t derived;  /* matrices that the file lacks */
  uint64_t cache;    /* with all its rows in use */
  uint64_t context;  /* activations, scratch of the threads, logits of one row */
  uint64_t room;     /* what this process may take now; UINT64_MAX: nothing says */
  const char *limit; /* what sets that: "the machine", "the control group /a/b"; borrowed, until the next such call of this thread */
} mla_memory_need;
#define MLA_MEMORY_NEED_INIT {sizeof(mla_memory_need), 0, 0, 0, 0, 0, 0, NULL}

/* Fills `need` up to its struct_size for a context with these options on the model of a GGUF file, of which only headers are read; nothing
 * is allocated. Fails like mla_model_load() and mla_context_new(). */
MLA_API mla_status mla_context_memory_need(mla_memory_need *need, const char *path, const mla_context_options *options);
/* Memory that the context holds now: activations, scratch of its threads, logits and embeddings, not its cache's. 0 for NULL. */
MLA_API uint64_t mla_context_bytes(const mla_context *context);

/* Fills `rates` up to its struct_size: what was given, or was measured for this context or another on the same model. All 0 as long as no batch
 * of several tokens of one sequence has asked for a choice, and in the other modes. */
MLA_API mla_status mla_context_attention_rates(mla_attention_rates *rates, const mla_context *context);

/* Adds the batch to the cache and computes the logits it asks for. Fails with MLA_INVALID_ARGUMENT, _CACHE_FULL,
 * _ABORTED, _OUT_OF_MEMORY; the cache is then as it was before the call, and there are no logits. */
MLA_API mla_status mla_context_decode(mla_context *context, const mla_batch *batch);
/* Logits [n_vocab] of the last row of the last batch that asked for them; borrowed, until the next decode. */
MLA_API mla_status mla_context_logits(const float **out, const mla_context *context);
/* Logits [n_vocab] of row i of the last batch; MLA_INVALID_ARGUMENT if it asked for none. Borrowed, until the next decode. */
MLA_API mla_status mla_context_logits_of_row(const float **out, const mla_context *context, int32_t row);
/* The embedding [n_embd] of row i of the last batch: the normalised state behind the last layer, which the output matrix would turn into logits.
 * MLA_INVALID_ARGUMENT if mla_batch.keep_embedding didn't ask for it. Borrowed, until the next decode. */
MLA_API mla_status mla_context_embedding(const float **out, const mla_context *context, int32_t row);
/* The cache that the context works on; borrowed, as long as the context. NULL for NULL. */
MLA_API mla_kv_cache *mla_context_cache(mla_context *context);
/* Threads that compute one token at a time; -1 for NULL. */
MLA_API int32_t mla_context_n_threads(const mla_context *context);
/* Threads that compute several tokens at a time; -1 for NULL. */
MLA_API int32_t mla_context_n_threads_batch(const mla_context *context);
/* Makes a running mla_context_decode() stop with MLA_ABORTED within 200 ms; from any thread. Without effect on later calls. */
MLA_API mla_status mla_context_abort(mla_context *context);

/* ---- Tokenizer: text to token ids and back ------------------------------------------------------------------------ */

/* A length of text that means: up to the terminating zero. */
#define MLA_NUL_TERMINATED ((size_t)-1)

/* Flags of mla_tokenizer_encode(). */
enum {
  MLA_ENCODE_DEFAULT = 0,
  MLA_ENCODE_NO_SPECIAL = 1,   /* do not add the bos and eos tokens that the model wants */
  MLA_ENCODE_PARSE_SPECIAL = 2 /* text that reads like a control token becomes that token: never for text from a user */
};

/* What a vocabulary entry is. */
typedef enum mla_token_kind {
  MLA_TOKEN_NORMAL = 1,
  MLA_TOKEN_UNKNOWN = 2,
  MLA_TOKEN_CONTROL = 3,      /* steers the model */
  MLA_TOKEN_USER_DEFINED = 4, /* always matched whole in text */
  MLA_TOKEN_UNUSED = 5,
  MLA_TOKEN_BYTE = 6
} mla_token_kind;

/* Token ids of a text of `n_bytes` bytes (or MLA_NUL_TERMINATED). Ill-formed UTF-8 is read as U+FFFD.
 * *out is an array of *n_out ids: free it with mla_free(). */
MLA_API mla_status mla_tokenizer_encode(mla_token **out, size_t *n_out, const mla_tokenizer *tokenizer, const char *text,
                                        size_t n_bytes, uint32_t flags);
/* The text of tokens [n_tokens]: *n_bytes bytes (n_bytes may be NULL) and a terminating zero; free it with mla_free().
 * It need not be whole UTF-8 if the tokens are not: a text stream takes care of that. Control tokens only if
 * show_special is nonzero. MLA_INVALID_ARGUMENT for an id that isn't there. */
MLA_API mla_status mla_tokenizer_decode(char **out, size_t *n_bytes, const mla_tokenizer *tokenizer, const mla_token *tokens,
                                        size_t n_tokens, int32_t show_special);
/* The bytes of one token, whatever its kind, not zero-terminated; borrowed, as long as the tokenizer. */
MLA_API mla_status mla_tokenizer_piece(const char **out, size_t *n_bytes, const mla_tokenizer *tokenizer, mla_token token);
MLA_API mla_status mla_tokenizer_kind(mla_token_kind *out, const mla_tokenizer *tokenizer, mla_token token);
/* The token with exactly these bytes, a control or user-defined one first; -1 if there is none. */
MLA_API mla_token mla_tokenizer_find(const mla_tokenizer *tokenizer, const char *text, size_t n_bytes);
/* Tokens in the vocabulary; -1 for NULL. */
MLA_API int32_t mla_tokenizer_size(const mla_tokenizer *tokenizer);
/* Special tokens; -1: none. */
MLA_API mla_token mla_tokenizer_bos(const mla_tokenizer *tokenizer);
MLA_API mla_token mla_tokenizer_eos(const mla_tokenizer *tokenizer);
MLA_API mla_token mla_tokenizer_pad(const mla_tokenizer *tokenizer);
MLA_API mla_token mla_tokenizer_unknown(const mla_tokenizer *tokenizer);
/* 1 if encode adds the token by default, else 0; -1 for NULL. */
MLA_API int32_t mla_tokenizer_add_bos(const mla_tokenizer *tokenizer);
MLA_API int32_t mla_tokenizer_add_eos(const mla_tokenizer *tokenizer);
/* 1 if the token ends an answer, else 0; -1 for NULL. */
MLA_API int32_t mla_tokenizer_is_end_of_generation(const mla_tokenizer *tokenizer, mla_token token);
/* Name of the pre-tokeniser; borrowed, as long as the tokenizer. NULL for NULL. */
MLA_API const char *mla_tokenizer_pre(const mla_tokenizer *tokenizer);

/* Turns tokens into text one by one and never emits half a UTF-8 character. Free it with mla_text_stream_free(). */
MLA_API mla_status mla_text_stream_new(mla_text_stream **out, const mla_tokenizer *tokenizer, int32_t show_special);
MLA_API void mla_text_stream_free(mla_text_stream *stream);
/* The text that became complete with this token, often empty: *n_bytes bytes (n_bytes may be NULL) and a terminating zero.
 * Borrowed, until the next call with this stream. */
MLA_API mla_status mla_text_stream_push(const char **out, size_t *n_bytes, mla_text_stream *stream, mla_token token);
/* What is left: an unfinished character becomes U+FFFD. The stream can then be used anew. Borrowed as above. */
MLA_API mla_status mla_text_stream_finish(const char **out, size_t *n_bytes, mla_text_stream *stream);

/* ---- Chat template: a conversation as the text, or the tokens, that a model was trained on ------------------------- */

typedef struct mla_chat_message {
  const char *role;    /* "system", "user", "assistant", "tool" */
  const char *content; /* zero-terminated UTF-8 */
} mla_chat_message;

typedef struct mla_chat_options {
  size_t struct_size;
  int32_t no_generation_prompt; /* nonzero: do not end with the prefix of an assistant turn */
  const char *bos_token;        /* text of these tokens; NULL: "", or with mla_chat_encode() the tokenizer's own */
  const char *eos_token;
  const char *extra_json;       /* a JSON object of further template variables (tools, thinking, …), or NULL */
} mla_chat_options;
#define MLA_CHAT_OPTIONS_INIT {sizeof(mla_chat_options), 0, NULL, NULL, NULL}

/* Parses a template (Jinja). Immutable. Free it with mla_chat_template_free(). Fails with MLA_BAD_FILE (syntax) or
 * MLA_UNSUPPORTED (a construct that this version lacks), naming the line. */
MLA_API mla_status mla_chat_template_new(mla_chat_template **out, const char *jinja_source);
MLA_API void mla_chat_template_free(mla_chat_template *chat_template);

/* The text of a conversation [n_messages]: *n_bytes bytes (n_bytes may be NULL) and a terminating zero; free it with
 * mla_free(). MLA_INVALID_ARGUMENT, with the template's own words, if the template refuses the conversation. */
MLA_API mla_status mla_chat_render(char **out, size_t *n_bytes, const mla_chat_template *chat_template,
                                   const mla_chat_message *messages, size_t n_messages, const mla_chat_options *options);
/* The same for an OpenAI-style JSON array of messages, with tool_calls, reasoning_content, … */
MLA_API mla_status mla_chat_render_json(char **out, size_t *n_bytes, const mla_chat_template *chat_template,
                                        const char *messages_json, const mla_chat_options *options);
/* The token ids of a conversation, ready for mla_context_decode(): control tokens that the template writes become tokens;
 * the same characters inside a message, however they got there, stay text. Nothing is added to what the template writes:
 * no second bos. *out is an array of *n_out ids: free it with mla_free(). */
MLA_API mla_status mla_chat_encode(mla_token **out, size_t *n_out, const mla_chat_template *chat_template,
                                   const mla_tokenizer *tokenizer, const mla_chat_message *messages, size_t n_messages,
                                   const mla_chat_options *options);
MLA_API mla_status mla_chat_encode_json(mla_token **out, size_t *n_out, const mla_chat_template *chat_template,
                                        const mla_tokenizer *tokenizer, const char *messages_json,
                                        const mla_chat_options *options);

/* ---- Sampler: picks the next token from logits ------------------------------------------------------------------- */

typedef struct mla_logit_bias {
  mla_token token;
  float bias; /* added to its logit; -INFINITY bans it */
} mla_logit_bias;

typedef struct mla_token_probability {
  mla_token token;
  double probability;
} mla_token_probability;

/* A host stage, after bias and penalties: lowers logits [n_vocab] in place, or bans tokens with -INFINITY (a grammar).
 * Return 0 to go on; anything else makes the call fail with MLA_ABORTED, the sampler being as it was before. */
typedef int (*mla_mask_fn)(void *user_data, float *logits, int32_t n_vocab);

/* The chain, in the order of <mla/sampler.hpp>. The same seed gives the same tokens on every machine. */
typedef struct mla_sampler_options {
  size_t struct_size;
  uint64_t seed;
  int32_t greedy;          /* nonzero: always the largest logit; the temperature is then not used */
  float temperature;       /* divides the logits; 0: 0.8 */
  int32_t top_k;           /* keep the k largest; 0: 40; -1: all */
  float top_p;             /* keep the most likely that together reach p; 0: 0.95; 1: all */
  float min_p;             /* keep what is at least this share of the most likely one; 0: 0.05; -1: all */
  float typical_p;         /* keep those closest to the expected surprise that together reach p; 0 or 1: all */
  float repeat_penalty;    /* divides positive logits of tokens in the window, multiplies others; 0 or 1: none */
  float presence_penalty;  /* subtracted from the logit of every token in the window */
  float frequency_penalty; /* subtracted as many times as the token occurs in the window */
  int32_t penalty_last_n;  /* the window: the last n accepted tokens; 0: 64; -1: all */
  int32_t mirostat;        /* 2: Mirostat 2.0 instead of the four filters; 0: off */
  float mirostat_tau;      /* the surprise to hold, in bits; 0: 5 */
  float mirostat_eta;      /* learning rate; 0: 0.1 */
  const mla_logit_bias *logit_bias; /* [n_logit_bias] */
  size_t n_logit_bias;
  mla_mask_fn mask;
  void *mask_user_data;
} mla_sampler_options;
#define MLA_SAMPLER_OPTIONS_INIT \
  {sizeof(mla_sampler_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, NULL}

/* Free it with mla_sampler_free(). MLA_INVALID_ARGUMENT names the option and its range. */
MLA_API mla_status mla_sampler_new(mla_sampler **out, const mla_sampler_options *options);
MLA_API void mla_sampler_free(mla_sampler *sampler);
/* A sampler that goes on exactly as this one would. Free it with mla_sampler_free(). */
MLA_API mla_status mla_sampler_copy(mla_sampler **out, const mla_sampler *sampler);

/* The next token, from logits [n_vocab]. Does not accept it. A call that fails changes nothing; *out is then -1.
 * MLA_INVALID_ARGUMENT if the logits hold NaN or +INFINITY, or every token is banned. */
MLA_API mla_status mla_sampler_sample(mla_token *out, mla_sampler *sampler, const float *logits, int32_t n_vocab);
/* What sample would draw from, most likely first; adds up to 1. Changes nothing. *out is an array of *n_out entries:
 * free it with mla_free(). */
MLA_API mla_status mla_sampler_probabilities(mla_token_probability **out, size_t *n_out, mla_sampler *sampler,
                                             const float *logits, int32_t n_vocab);
/* Puts a token, of the prompt or sampled, into the window of the penalties. */
MLA_API mla_status mla_sampler_accept(mla_sampler *sampler, mla_token token);
/* Back to how it was made: seed, empty window. */
MLA_API mla_status mla_sampler_reset(mla_sampler *sampler);
/* The largest surprise that mirostat lets through now, in bits; -1 for NULL. */
MLA_API double mla_sampler_mirostat_mu(const mla_sampler *sampler);

/* ---- A step: one turn of the loop that writes text, as one call ---------------------------------------------------- */

typedef struct mla_step {
  size_t struct_size;
  mla_token token;          /* in and out: the last token of the text */
  int32_t pending;          /* in and out: nonzero: `token` is yet to be computed; 0, as behind a prompt that was decoded: its logits are there */
  mla_sequence_id sequence; /* it goes behind the last position of this one */
  mla_sampler *sampler;     /* picks the next token and accepts it; required */
  mla_text_stream *stream;  /* turns it into text; NULL: none is wanted */
  const char *text;         /* out: as mla_text_stream_push() hands it out; NULL without a stream */
  size_t n_bytes;           /* out: of `text` */
  int32_t end;              /* out: 1 if the token ends an answer: it was neither accepted nor made text */
} mla_step;
#define MLA_STEP_INIT {sizeof(mla_step), 0, 0, 0, NULL, NULL, NULL, 0, 0}

/* Computes the pending token, samples the next one from the last logits, and unless it ends the answer turns it into text and accepts it. Decode
 * the prompt, then call this with one struct for each token of the text. Fails as the calls that it stands for do. `pending` then
 * tells if the token was computed, so that the same call takes the step up again. */
MLA_API mla_status mla_context_step(mla_step *step, mla_context *context);

#ifdef __cplusplus
}
#endif
#endif
