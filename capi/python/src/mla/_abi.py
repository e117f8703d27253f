"""The C interface as ctypes sees it. Made from include/mla/*.h by bind.py: don't edit."""

from ctypes import (CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int, c_int32,
                    c_size_t, c_uint32, c_uint64, c_void_p)

MLA_OK = 0
MLA_INVALID_ARGUMENT = 1
MLA_NOT_FOUND = 2
MLA_IO_ERROR = 3
MLA_BAD_FILE = 4
MLA_UNSUPPORTED = 5
MLA_OUT_OF_MEMORY = 6
MLA_CACHE_FULL = 7
MLA_ABORTED = 8
MLA_INTERNAL = 9
MLA_ATTENTION_AUTO = 0
MLA_ATTENTION_DEEPSEEK2 = 1
MLA_ATTENTION_DEEPSEEK_MLA = 2
MLA_CACHE_LATENT = 0
MLA_CACHE_EXPANDED = 1
MLA_CACHE_TYPE_DEFAULT = 0
MLA_CACHE_TYPE_F32 = 1
MLA_CACHE_TYPE_F16 = 2
MLA_CACHE_TYPE_BF16 = 3
MLA_CACHE_TYPE_Q8_0 = 4
MLA_CACHE_TYPE_Q6_0 = 5
MLA_CACHE_TYPE_Q4_0 = 6
MLA_CACHE_TYPE_Q8_ROW = 7
MLA_CACHE_TYPE_Q16_ROW = 8
MLA_LOG_DEBUG = 0
MLA_LOG_INFO = 1
MLA_LOG_WARNING = 2
MLA_LOG_ERROR = 3
MLA_NUMA_NONE = 0
MLA_NUMA_DISTRIBUTE = 1
MLA_NUMA_ISOLATE = 2
MLA_NUMA_NUMACTL = 3
MLA_NUMA_SPLIT = 4
MLA_NUMA_REPLICATE = 5
MLA_REPACK_AUTO = 0
MLA_REPACK_ALWAYS = 1
MLA_REPACK_NEVER = 2
MLA_ALL_SEQUENCES = -1
MLA_NUL_TERMINATED = c_size_t(-1).value
MLA_ENCODE_DEFAULT = 0
MLA_ENCODE_NO_SPECIAL = 1
MLA_ENCODE_PARSE_SPECIAL = 2
MLA_TOKEN_NORMAL = 1
MLA_TOKEN_UNKNOWN = 2
MLA_TOKEN_CONTROL = 3
MLA_TOKEN_USER_DEFINED = 4
MLA_TOKEN_UNUSED = 5
MLA_TOKEN_BYTE = 6

mla_progress_fn = CFUNCTYPE(c_int, c_void_p, c_char_p, c_uint64, c_uint64)
mla_abort_fn = CFUNCTYPE(c_int, c_void_p)
mla_log_fn = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
mla_allocator_allocate_fn = CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
mla_allocator_deallocate_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
mla_task_fn = CFUNCTYPE(None, c_void_p, c_int32, c_int32)
mla_thread_pool_run_fn = CFUNCTYPE(None, c_void_p, c_int32, mla_task_fn, c_void_p)
mla_release_fn = CFUNCTYPE(None, c_void_p)
mla_mask_fn = CFUNCTYPE(c_int, c_void_p, POINTER(c_float), c_int32)


class mla_allocator(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocate", mla_allocator_allocate_fn),
        ("deallocate", mla_allocator_deallocate_fn),
        ("user_data", c_void_p),
    ]


class mla_thread_pool(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_threads", c_int32),
        ("run", mla_thread_pool_run_fn),
        ("user_data", c_void_p),
        ("concurrent", c_int32),
    ]


class mla_thread_pool_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_threads", c_int32),
        ("numa", c_int),
        ("pin_threads", c_int32),
    ]


class mla_override(Structure):
    _fields_ = [
        ("key", c_char_p),
        ("value", c_char_p),
    ]


class mla_model_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("no_mmap", c_int32),
        ("progress", mla_progress_fn),
        ("progress_user_data", c_void_p),
        ("log", mla_log_fn),
        ("log_user_data", c_void_p),
        ("allocator", POINTER(mla_allocator)),
        ("overrides", POINTER(mla_override)),
        ("n_overrides", c_size_t),
        ("repack", c_int),
        ("no_huge_pages", c_int32),
        ("n_threads", c_int32),
        ("numa", c_int),
        ("load_type", c_char_p),
    ]


class mla_model_info(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("architecture", c_char_p),
        ("n_vocab", c_int32),
        ("n_embd", c_int32),
        ("n_layers", c_int32),
        ("n_ctx_train", c_int32),
        ("n_experts", c_int32),
        ("n_experts_used", c_int32),
        ("n_parameters", c_uint64),
        ("weight_bytes", c_uint64),
        ("derived_bytes", c_uint64),
        ("panel_bytes", c_uint64),
        ("repacked_bytes", c_uint64),
        ("fingerprint", c_uint64),
    ]


class mla_cache_shape(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_layers", c_int32),
        ("n_heads", c_int32),
        ("n_nope", c_int32),
        ("n_rope", c_int32),
        ("n_value", c_int32),
        ("n_latent", c_int32),
    ]


class mla_kv_cache_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("layout", c_int),
        ("n_ctx", c_int32),
        ("type_k", c_int),
        ("type_v", c_int),
        ("allocator", POINTER(mla_allocator)),
    ]


class mla_attention_rates(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("expanded_start", c_double),
        ("expanded_pair", c_double),
        ("expanded_key", c_double),
        ("absorbed_start", c_double),
        ("absorbed_pair", c_double),
        ("absorbed_query", c_double),
    ]


class mla_context_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("attention", c_int),
        ("n_ctx", c_int32),
        ("n_ubatch", c_int32),
        ("cache_type_k", c_int),
        ("cache_type_v", c_int),
        ("n_threads", c_int32),
        ("cache", c_void_p),
        ("thread_pool", POINTER(mla_thread_pool)),
        ("allocator", POINTER(mla_allocator)),
        ("abort", mla_abort_fn),
        ("abort_user_data", c_void_p),
        ("n_threads_batch", c_int32),
        ("pin_threads", c_int32),
        ("deterministic", c_int32),
        ("attention_rates", POINTER(mla_attention_rates)),
    ]


class mla_batch(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n", c_int32),
        ("tokens", c_void_p),
        ("embeddings", c_void_p),
        ("positions", c_void_p),
        ("sequences", c_void_p),
        ("logits", c_void_p),
        ("keep_embedding", c_void_p),
    ]


class mla_memory_need(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights", c_uint64),
        ("repacked", c_uint64),
        ("derived", c_uint64),
        ("cache", c_uint64),
        ("context", c_uint64),
        ("room", c_uint64),
        ("limit", c_char_p),
    ]


class mla_chat_message(Structure):
    _fields_ = [
        ("role", c_char_p),
        ("content", c_char_p),
    ]


class mla_chat_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("no_generation_prompt", c_int32),
        ("bos_token", c_char_p),
        ("eos_token", c_char_p),
        ("extra_json", c_char_p),
    ]


class mla_logit_bias(Structure):
    _fields_ = [
        ("token", c_int32),
        ("bias", c_float),
    ]


class mla_token_probability(Structure):
    _fields_ = [
        ("token", c_int32),
        ("probability", c_double),
    ]


class mla_sampler_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("seed", c_uint64),
        ("greedy", c_int32),
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("typical_p", c_float),
        ("repeat_penalty", c_float),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("penalty_last_n", c_int32),
        ("mirostat", c_int32),
        ("mirostat_tau", c_float),
        ("mirostat_eta", c_float),
        ("logit_bias", POINTER(mla_logit_bias)),
        ("n_logit_bias", c_size_t),
        ("mask", mla_mask_fn),
        ("mask_user_data", c_void_p),
    ]


class mla_step(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("token", c_int32),
        ("pending", c_int32),
        ("sequence", c_int32),
        ("sampler", c_void_p),
        ("stream", c_void_p),
        ("text", c_char_p),
        ("n_bytes", c_size_t),
        ("end", c_int32),
    ]


class mla_op_timing(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("seconds", c_double),
        ("calls", c_uint64),
        ("bytes", c_uint64),
        ("operations", c_uint64),
    ]


class mla_machine_rates(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("read_bytes", c_double),
        ("f32_operations", c_double),
        ("int8_operations", c_double),
    ]


FUNCTIONS = {
    "mla_status_name": (c_char_p, [c_int]),
    "mla_last_error": (c_char_p, []),
    "mla_version": (c_char_p, []),
    "mla_isa_name": (c_char_p, []),
    "mla_free": (None, [c_void_p]),
    "mla_default_threads": (c_int32, []),
    "mla_thread_pool_new": (c_int, [POINTER(c_void_p), POINTER(mla_thread_pool_options)]),
    "mla_thread_pool_free": (None, [POINTER(mla_thread_pool)]),
    "mla_model_load": (c_int, [POINTER(c_void_p), c_char_p, POINTER(mla_model_options)]),
    "mla_model_load_fd": (c_int, [POINTER(c_void_p), c_int, POINTER(mla_model_options)]),
    "mla_model_load_memory": (c_int, [POINTER(c_void_p), c_void_p, c_size_t, mla_release_fn, c_void_p, POINTER(mla_model_options)]),
    "mla_model_free": (None, [c_void_p]),
    "mla_model_get_info": (c_int, [POINTER(mla_model_info), c_void_p]),
    "mla_model_cache_shape": (c_int, [POINTER(mla_cache_shape), c_void_p]),
    "mla_model_tokenizer": (c_int, [POINTER(c_void_p), c_void_p]),
    "mla_model_chat_template": (c_char_p, [c_void_p]),
    "mla_kv_cache_new": (c_int, [POINTER(c_void_p), POINTER(mla_cache_shape), POINTER(mla_kv_cache_options)]),
    "mla_kv_cache_free": (None, [c_void_p]),
    "mla_kv_cache_bytes_at_capacity": (c_int, [POINTER(c_uint64), POINTER(mla_cache_shape), POINTER(mla_kv_cache_options)]),
    "mla_kv_cache_bytes": (c_uint64, [c_void_p]),
    "mla_kv_cache_row_bytes": (c_uint64, [c_void_p]),
    "mla_kv_cache_n_pages": (c_int32, [c_void_p]),
    "mla_kv_cache_n_pages_used": (c_int32, [c_void_p]),
    "mla_kv_cache_bind": (c_int, [c_void_p, c_void_p]),
    "mla_kv_cache_seq_rm": (c_int, [POINTER(c_int32), c_void_p, c_int32, c_int32, c_int32]),
    "mla_kv_cache_seq_cp": (c_int, [c_void_p, c_int32, c_int32, c_int32, c_int32]),
    "mla_kv_cache_seq_keep": (c_int, [c_void_p, c_int32]),
    "mla_kv_cache_clear": (c_int, [c_void_p]),
    "mla_kv_cache_seq_add": (c_int, [c_void_p, c_int32, c_int32, c_int32, c_int32]),
    "mla_kv_cache_defrag": (c_int, [c_void_p]),
    "mla_kv_cache_reuse_prefix": (c_int, [POINTER(c_int32), c_void_p, c_int32, c_void_p, c_size_t]),
    "mla_kv_cache_save": (c_int, [c_void_p, c_char_p, c_int32]),
    "mla_kv_cache_save_memory": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_int32]),
    "mla_kv_cache_load": (c_int, [c_void_p, c_char_p, c_int32]),
    "mla_kv_cache_load_memory": (c_int, [c_void_p, c_void_p, c_size_t, c_int32]),
    "mla_kv_cache_shape": (c_int, [POINTER(mla_cache_shape), c_void_p]),
    "mla_kv_cache_get_options": (c_int, [POINTER(mla_kv_cache_options), c_void_p]),
    "mla_kv_cache_seq_len": (c_int32, [c_void_p, c_int32]),
    "mla_kv_cache_seq_pos_min": (c_int32, [c_void_p, c_int32]),
    "mla_kv_cache_seq_pos_max": (c_int32, [c_void_p, c_int32]),
    "mla_context_new": (c_int, [POINTER(c_void_p), c_void_p, POINTER(mla_context_options)]),
    "mla_context_free": (None, [c_void_p]),
    "mla_context_memory_need": (c_int, [POINTER(mla_memory_need), c_char_p, POINTER(mla_context_options)]),
    "mla_context_bytes": (c_uint64, [c_void_p]),
    "mla_context_attention_rates": (c_int, [POINTER(mla_attention_rates), c_void_p]),
    "mla_context_decode": (c_int, [c_void_p, POINTER(mla_batch)]),
    "mla_context_logits": (c_int, [POINTER(c_void_p), c_void_p]),
    "mla_context_logits_of_row": (c_int, [POINTER(c_void_p), c_void_p, c_int32]),
    "mla_context_embedding": (c_int, [POINTER(c_void_p), c_void_p, c_int32]),
    "mla_context_cache": (c_void_p, [c_void_p]),
    "mla_context_n_threads": (c_int32, [c_void_p]),
    "mla_context_n_threads_batch": (c_int32, [c_void_p]),
    "mla_context_abort": (c_int, [c_void_p]),
    "mla_tokenizer_encode": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_char_p, c_size_t, c_uint32]),
    "mla_tokenizer_decode": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_void_p, c_size_t, c_int32]),
    "mla_tokenizer_piece": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_int32]),
    "mla_tokenizer_kind": (c_int, [POINTER(c_int), c_void_p, c_int32]),
    "mla_tokenizer_find": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "mla_tokenizer_size": (c_int32, [c_void_p]),
    "mla_tokenizer_bos": (c_int32, [c_void_p]),
    "mla_tokenizer_eos": (c_int32, [c_void_p]),
    "mla_tokenizer_pad": (c_int32, [c_void_p]),
    "mla_tokenizer_unknown": (c_int32, [c_void_p]),
    "mla_tokenizer_add_bos": (c_int32, [c_void_p]),
    "mla_tokenizer_add_eos": (c_int32, [c_void_p]),
    "mla_tokenizer_is_end_of_generation": (c_int32, [c_void_p, c_int32]),
    "mla_tokenizer_pre": (c_char_p, [c_void_p]),
    "mla_text_stream_new": (c_int, [POINTER(c_void_p), c_void_p, c_int32]),
    "mla_text_stream_free": (None, [c_void_p]),
    "mla_text_stream_push": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_int32]),
    "mla_text_stream_finish": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p]),
    "mla_chat_template_new": (c_int, [POINTER(c_void_p), c_char_p]),
    "mla_chat_template_free": (None, [c_void_p]),
    "mla_chat_render": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, POINTER(mla_chat_message), c_size_t, POINTER(mla_chat_options)]),
    "mla_chat_render_json": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_char_p, POINTER(mla_chat_options)]),
    "mla_chat_encode": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_void_p, POINTER(mla_chat_message), c_size_t, POINTER(mla_chat_options)]),
    "mla_chat_encode_json": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_void_p, c_char_p, POINTER(mla_chat_options)]),
    "mla_sampler_new": (c_int, [POINTER(c_void_p), POINTER(mla_sampler_options)]),
    "mla_sampler_free": (None, [c_void_p]),
    "mla_sampler_copy": (c_int, [POINTER(c_void_p), c_void_p]),
    "mla_sampler_sample": (c_int, [POINTER(c_int32), c_void_p, c_void_p, c_int32]),
    "mla_sampler_probabilities": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p, c_void_p, c_int32]),
    "mla_sampler_accept": (c_int, [c_void_p, c_int32]),
    "mla_sampler_reset": (c_int, [c_void_p]),
    "mla_sampler_mirostat_mu": (c_double, [c_void_p]),
    "mla_context_step": (c_int, [POINTER(mla_step), c_void_p]),
    "mla_context_time_ops": (c_int, [c_void_p, c_int32]),
    "mla_context_op_timings": (c_int, [POINTER(c_void_p), POINTER(c_size_t), c_void_p]),
    "mla_context_reset_op_timings": (c_int, [c_void_p]),
    "mla_kv_cache_fill_random": (c_int, [c_void_p, c_int32, c_int32, c_uint64]),
    "mla_machine_measure": (c_int, [POINTER(mla_machine_rates), c_int32]),
}


class Library(CDLL):
    """The functions of the library file, each with its types."""

    def __init__(self, path, mode):
        super().__init__(path, mode=mode)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self, name)
            function.restype = result
            function.argtypes = arguments
