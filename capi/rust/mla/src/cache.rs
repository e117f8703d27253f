use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use mla_sys as sys;

use crate::cache_ref::KvCacheRef;
use crate::error::{check, Result};
use crate::host::{Allocator, Callback, SharedAllocator};

/// The sizes that a cache row depends on; [`Model::cache_shape`](crate::Model::cache_shape) has them.
#[derive(Debug, Clone, Copy)]
pub struct CacheShape(pub(crate) sys::mla_cache_shape);

/// What a row of the KV cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CacheLayout {
    /// The latent and the rope part.
    #[default]
    Latent,
    /// Keys and values of every head; what [`AttentionMode::Deepseek2`](crate::AttentionMode::Deepseek2) needs.
    Expanded,
}

/// Number format of cache rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // the names say it
pub enum CacheType {
    F32,
    F16,
    Bf16,
    /// In this type and the three after it the rope part stays 16-bit.
    Q8_0,
    Q6_0,
    Q4_0,
    /// 8 bits, one scale for a row, or for each head of the expanded layout.
    Q8Row,
    /// 16 bits, likewise: finer than f16, and faster.
    #[default]
    Q16Row,
}

impl CacheType {
    pub(crate) fn to_raw(self) -> sys::mla_cache_type {
        match self {
            CacheType::F32 => sys::MLA_CACHE_TYPE_F32,
            CacheType::F16 => sys::MLA_CACHE_TYPE_F16,
            CacheType::Bf16 => sys::MLA_CACHE_TYPE_BF16,
            CacheType::Q8_0 => sys::MLA_CACHE_TYPE_Q8_0,
            CacheType::Q6_0 => sys::MLA_CACHE_TYPE_Q6_0,
            CacheType::Q4_0 => sys::MLA_CACHE_TYPE_Q4_0,
            CacheType::Q8Row => sys::MLA_CACHE_TYPE_Q8_ROW,
            CacheType::Q16Row => sys::MLA_CACHE_TYPE_Q16_ROW,
        }
    }
}

/// How a cache of the host's own is made.
#[derive(Default)]
#[must_use = "build() makes the cache"]
pub struct KvCacheOptions {
    raw: sys::mla_kv_cache_options,
    allocator: Option<SharedAllocator>,
}

impl KvCacheOptions {
    /// All defaults: a latent cache of 4096 rows, f16.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a row holds.
    pub fn layout(mut self, layout: CacheLayout) -> Self {
        self.raw.layout = match layout {
            CacheLayout::Latent => sys::MLA_CACHE_LATENT,
            CacheLayout::Expanded => sys::MLA_CACHE_EXPANDED,
        };
        self
    }

    /// Token rows in all sequences together, rounded up to pages of 64; 0: 4096.
    pub fn n_ctx(mut self, n_ctx: i32) -> Self {
        self.raw.n_ctx = n_ctx;
        self
    }

    /// Of latent rows, or of the keys of the expanded layout.
    pub fn type_k(mut self, type_k: CacheType) -> Self {
        self.raw.type_k = type_k.to_raw();
        self
    }

    /// Of the values of the expanded layout; the latent layout has none.
    pub fn type_v(mut self, type_v: CacheType) -> Self {
        self.raw.type_v = type_v.to_raw();
        self
    }

    /// Where pages come from; a panic in it counts as no memory.
    pub fn allocator(mut self, allocator: impl Allocator + 'static) -> Self {
        self.allocator = Some(Callback::new(Box::new(allocator)));
        self
    }

    /// Bytes that such a cache takes when its rows are all in use; allocates nothing.
    pub fn bytes_at_capacity(&self, shape: &CacheShape) -> Result<u64> {
        let mut bytes = 0;
        // SAFETY: complete structs.
        check(unsafe { sys::mla_kv_cache_bytes_at_capacity(&mut bytes, &shape.0, &self.raw) })?;
        Ok(bytes)
    }

    /// An empty cache for models of this shape. Memory for pages is taken as they are first needed and kept for reuse.
    ///
    /// Fails with [`Status`](crate::Status) `InvalidArgument`, `OutOfMemory`.
    pub fn build(self, shape: &CacheShape) -> Result<KvCache> {
        let allocator = self.allocator.as_ref().map(Callback::<Box<dyn Allocator>>::to_raw);
        let mut raw = self.raw;
        raw.allocator = allocator.as_ref().map_or(ptr::null(), |allocator| allocator);
        let mut cache = ptr::null_mut();
        // SAFETY: what the options point to lives until the call returns; the allocator goes into the cache.
        check(unsafe { sys::mla_kv_cache_new(&mut cache, &shape.0, &raw) })?;
        Ok(KvCache { raw: NonNull::new(cache).expect("a cache that was made is not NULL"), _allocator: self.allocator })
    }
}

/// A cache that the host owns, to be given to a context ([`ContextOptions::cache`](crate::ContextOptions::cache)) and taken back. What it
/// does is in [`KvCacheRef`].
pub struct KvCache {
    raw: NonNull<sys::mla_kv_cache>,
    _allocator: Option<SharedAllocator>,
}

// SAFETY: mla.h: a cache belongs to one thread at a time; any thread.
unsafe impl Send for KvCache {}

impl Drop for KvCache {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once; a context that still uses the cache keeps the rows alive itself.
        unsafe { sys::mla_kv_cache_free(self.raw.as_ptr()) }
    }
}

impl KvCache {
    pub(crate) fn raw(&self) -> *mut sys::mla_kv_cache {
        self.raw.as_ptr()
    }
}

impl Deref for KvCache {
    type Target = KvCacheRef;
    fn deref(&self) -> &KvCacheRef {
        // SAFETY: a live cache, borrowed as long as self.
        unsafe { KvCacheRef::from_raw(self.raw.as_ptr()) }
    }
}

impl DerefMut for KvCache {
    fn deref_mut(&mut self) -> &mut KvCacheRef {
        // SAFETY: as above, and nobody else has it.
        unsafe { KvCacheRef::from_raw_mut(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for KvCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
