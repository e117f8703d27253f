use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::ptr;

use mla_sys as sys;

use crate::error::{check, Result};
use crate::ffi::{c_path, Owned};
use crate::{Model, Position, SequenceId, Token};

/// The keys and values of the sequences that a context works on: pages of 64 token rows, which sequences share until one of them writes.
/// Borrowed from a [`KvCache`](crate::KvCache) or a [`Context`](crate::Context); of no size of its own, so that it can't be moved out.
#[repr(C)]
pub struct KvCacheRef {
    _opaque: UnsafeCell<[u8; 0]>,
    _not_send: PhantomData<*mut u8>,
}

/// Stands for all sequences where a sequence can be saved or loaded.
pub const ALL_SEQUENCES: SequenceId = sys::MLA_ALL_SEQUENCES;

impl KvCacheRef {
    pub(crate) unsafe fn from_raw<'a>(raw: *mut sys::mla_kv_cache) -> &'a KvCacheRef {
        &*(raw as *const KvCacheRef)
    }

    pub(crate) unsafe fn from_raw_mut<'a>(raw: *mut sys::mla_kv_cache) -> &'a mut KvCacheRef {
        &mut *(raw as *mut KvCacheRef)
    }

    // A reference to this type is the library's pointer, and nothing behind it is Rust's.
    fn raw(&self) -> *mut sys::mla_kv_cache {
        self as *const KvCacheRef as *mut sys::mla_kv_cache
    }

    /// Bytes of the pages that sequences refer to now; shared pages count once.
    pub fn bytes(&self) -> u64 {
        // SAFETY, here and below: a live cache, used by one thread at a time because it is neither Send nor Sync.
        unsafe { sys::mla_kv_cache_bytes(self.raw()) }
    }

    /// Bytes that a token takes, all layers together.
    pub fn row_bytes(&self) -> u64 {
        unsafe { sys::mla_kv_cache_row_bytes(self.raw()) }
    }

    /// Pages of 64 rows that there can be.
    pub fn n_pages(&self) -> i32 {
        unsafe { sys::mla_kv_cache_n_pages(self.raw()) }
    }

    /// Pages that sequences refer to now.
    pub fn n_pages_used(&self) -> i32 {
        unsafe { sys::mla_kv_cache_n_pages_used(self.raw()) }
    }

    /// Rows of a sequence.
    pub fn seq_len(&self, seq: SequenceId) -> i32 {
        unsafe { sys::mla_kv_cache_seq_len(self.raw(), seq) }
    }

    /// The smallest position of a sequence; `None` if it is empty.
    pub fn seq_pos_min(&self, seq: SequenceId) -> Option<Position> {
        Some(unsafe { sys::mla_kv_cache_seq_pos_min(self.raw(), seq) }).filter(|position| *position >= 0)
    }

    /// The largest position of a sequence; `None` if it is empty.
    pub fn seq_pos_max(&self, seq: SequenceId) -> Option<Position> {
        Some(unsafe { sys::mla_kv_cache_seq_pos_max(self.raw(), seq) }).filter(|position| *position >= 0)
    }

    /// Tells the cache whose rows it holds; a context does so. Needed before [`seq_add`](Self::seq_add), and for states of other models to
    /// be refused. `InvalidArgument` if the cache holds rows of another model.
    pub fn bind(&mut self, model: &Model) -> Result<()> {
        check(unsafe { sys::mla_kv_cache_bind(self.raw(), model.raw()) })
    }

    /// Removes positions of a sequence; true if it had any of them.
    pub fn seq_rm(&mut self, seq: SequenceId, positions: impl RangeBounds<Position>) -> Result<bool> {
        let (p0, p1) = ends(positions);
        let mut removed = 0;
        check(unsafe { sys::mla_kv_cache_seq_rm(&mut removed, self.raw(), seq, p0, p1) })?;
        Ok(removed != 0)
    }

    /// Replaces sequence `to` by a copy of positions of `from`, sharing memory.
    pub fn seq_cp(&mut self, from: SequenceId, to: SequenceId, positions: impl RangeBounds<Position>) -> Result<()> {
        let (p0, p1) = ends(positions);
        check(unsafe { sys::mla_kv_cache_seq_cp(self.raw(), from, to, p0, p1) })
    }

    /// Removes every sequence but this one.
    pub fn seq_keep(&mut self, seq: SequenceId) -> Result<()> {
        check(unsafe { sys::mla_kv_cache_seq_keep(self.raw(), seq) })
    }

    /// Context shift: moves positions of a sequence by `delta`, keys included. To drop the oldest `n` rows of a full context:
    /// `seq_rm(seq, ..n)`, then `seq_add(seq, n.., -n)`.
    ///
    /// `InvalidArgument` if positions would fall below 0 or out of order; `CacheFull`, `OutOfMemory`. The cache is then as it was.
    pub fn seq_add(&mut self, seq: SequenceId, positions: impl RangeBounds<Position>, delta: i32) -> Result<()> {
        let (p0, p1) = ends(positions);
        check(unsafe { sys::mla_kv_cache_seq_add(self.raw(), seq, p0, p1, delta) })
    }

    /// Removes every sequence.
    pub fn clear(&mut self) -> Result<()> {
        check(unsafe { sys::mla_kv_cache_clear(self.raw()) })
    }

    /// Packs rows into as few pages as possible and gives pages that are not in use back to the allocator.
    pub fn defrag(&mut self) -> Result<()> {
        check(unsafe { sys::mla_kv_cache_defrag(self.raw()) })
    }

    /// Makes sequence `to` the longest beginning of `tokens` (at positions 0, 1, …) that the cache holds in any sequence, sharing its memory,
    /// and returns how many tokens that is. Decode the others behind them; leave out the last token if you want its logits.
    pub fn reuse_prefix(&mut self, to: SequenceId, tokens: &[Token]) -> Result<usize> {
        let mut n_reused = 0;
        check(unsafe { sys::mla_kv_cache_reuse_prefix(&mut n_reused, self.raw(), to, tokens.as_ptr(), tokens.len()) })?;
        Ok(n_reused as usize)
    }

    /// Writes a sequence, or [`ALL_SEQUENCES`], to a file that any machine can load; a file of that name is replaced once the new one is whole.
    ///
    /// Fails with [`Status`](crate::Status) `InvalidArgument` (an empty sequence), `IoError`, `NotFound` (no such folder), `OutOfMemory`.
    pub fn save(&self, path: impl AsRef<Path>, seq: SequenceId) -> Result<()> {
        let path = c_path(path.as_ref().as_os_str())?;
        check(unsafe { sys::mla_kv_cache_save(self.raw(), path.as_ptr(), seq) })
    }

    /// The same to memory.
    pub fn save_to_vec(&self, seq: SequenceId) -> Result<Vec<u8>> {
        let mut state = Owned::<u8>::none();
        let mut data = ptr::null_mut();
        let status = unsafe { sys::mla_kv_cache_save_memory(&mut data, &mut state.len, self.raw(), seq) };
        state.data = data as *mut u8;
        check(status)?;
        Ok(state.as_slice().to_vec())
    }

    /// Replaces sequence `seq` by the one that was saved, or [`ALL_SEQUENCES`] by all that were. Wants room for it beside what it replaces.
    ///
    /// Fails with [`Status`](crate::Status) `BadFile` (damaged), `Unsupported` (a newer version), `InvalidArgument` (of another model, layout
    /// or row type, or not one sequence), `NotFound`, `IoError`, `CacheFull`, `OutOfMemory`; the cache is then as it was.
    pub fn load(&mut self, path: impl AsRef<Path>, seq: SequenceId) -> Result<()> {
        let path = c_path(path.as_ref().as_os_str())?;
        check(unsafe { sys::mla_kv_cache_load(self.raw(), path.as_ptr(), seq) })
    }

    /// The same from memory.
    pub fn load_from_slice(&mut self, state: &[u8], seq: SequenceId) -> Result<()> {
        check(unsafe { sys::mla_kv_cache_load_memory(self.raw(), state.as_ptr().cast(), state.len(), seq) })
    }
}

impl fmt::Debug for KvCacheRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvCache").field("n_pages", &self.n_pages()).field("n_pages_used", &self.n_pages_used()).finish_non_exhaustive()
    }
}

/// A range as the library's p0 <= p < p1, where a negative p1 means the end; a negative end of the caller's means nothing.
fn ends(positions: impl RangeBounds<Position>) -> (Position, Position) {
    let after = |position: &Position| position.checked_add(1);
    let p0 = match positions.start_bound() {
        Bound::Included(position) => *position,
        Bound::Excluded(position) => after(position).unwrap_or(Position::MAX),
        Bound::Unbounded => 0,
    };
    let p1 = match positions.end_bound() {
        Bound::Excluded(position) => (*position).max(0),
        Bound::Included(position) => after(position).map_or(-1, |end| end.max(0)),
        Bound::Unbounded => -1,
    };
    (p0, p1)
}
