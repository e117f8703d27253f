// libmla: DeepSeek-family language models on CPUs. The whole C++ interface.
#pragma once
#include <mla/batch.hpp>
#include <mla/chat.hpp>
#include <mla/chat_template.hpp>
#include <mla/context.hpp>
#include <mla/convert.hpp>
#include <mla/error.hpp>
#include <mla/host.hpp>
#include <mla/inspect.hpp>
#include <mla/kv_cache.hpp>
#include <mla/machine.hpp>
#include <mla/model.hpp>
#include <mla/op_timing.hpp>
#include <mla/sampler.hpp>
#include <mla/tokenizer.hpp>
#include <mla/types.hpp>
#include <mla/version.hpp>
