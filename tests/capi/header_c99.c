/* The headers as strict C99: they stand alone, and every initialiser names every field. */
#include <mla/mla_experimental.h>

int mla_test_c99_header(void);

int mla_test_c99_header(void) {
  const mla_allocator allocator = MLA_ALLOCATOR_INIT;
  const mla_thread_pool pool = MLA_THREAD_POOL_INIT;
  const mla_model_options model = MLA_MODEL_OPTIONS_INIT;
  const mla_model_info info = MLA_MODEL_INFO_INIT;
  const mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
  const mla_kv_cache_options cache = MLA_KV_CACHE_OPTIONS_INIT;
  const mla_context_options context = MLA_CONTEXT_OPTIONS_INIT;
  const mla_batch batch = MLA_BATCH_INIT;
  const mla_sampler_options sampler = MLA_SAMPLER_OPTIONS_INIT;
  const mla_chat_options chat = MLA_CHAT_OPTIONS_INIT;
  const mla_thread_pool_options threads = MLA_THREAD_POOL_OPTIONS_INIT;
  const mla_memory_need need = MLA_MEMORY_NEED_INIT;
  const mla_machine_rates rates = MLA_MACHINE_RATES_INIT;
  return allocator.struct_size == sizeof allocator && pool.struct_size == sizeof pool && model.struct_size == sizeof model &&
         info.struct_size == sizeof info && shape.struct_size == sizeof shape && cache.struct_size == sizeof cache &&
         context.struct_size == sizeof context && batch.struct_size == sizeof batch && sampler.struct_size == sizeof sampler &&
         chat.struct_size == sizeof chat && threads.struct_size == sizeof threads && need.struct_size == sizeof need &&
         rates.struct_size == sizeof rates;
}
