use mla_sys as sys;

use crate::error::{check, text, Result};
use crate::ffi::Owned;
use crate::Context;

/// Totals of one operation over all layers and calls of [`Context::decode`]; docs/benchmarks.md explains the names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpTiming {
    /// "q", "kv_a", "kq", "experts_gate_up", …
    pub name: String,
    /// Wall time; inside attention, time of all threads divided by their number.
    pub seconds: f64,
    /// Inside attention, tiles.
    pub calls: u64,
    /// Of weights read, or of cache rows read or written.
    pub bytes: u64,
    /// Two for each multiply-add of a matrix product.
    pub operations: u64,
}

/// Where the time goes: experimental in C, so what there is may change with any version.
impl Context {
    /// Keeps timings from the next [`decode`](Self::decode) on, which costs some clock reads a layer; false, as at first: no more.
    pub fn time_ops(&mut self, on: bool) -> Result<()> {
        // SAFETY: a live context of which we have the only use.
        check(unsafe { sys::mla_context_time_ops(self.raw(), i32::from(on)) })
    }

    /// What was kept since the context was made or the timings were reset: operations that ran, in the order of the forward pass; their
    /// seconds add up to the time spent computing.
    pub fn op_timings(&self) -> Result<Vec<OpTiming>> {
        let mut kept = Owned::none();
        // SAFETY: a live context; the array is ours.
        check(unsafe { sys::mla_context_op_timings(&mut kept.data, &mut kept.len, self.raw()) })?;
        let timing = |raw: &sys::mla_op_timing| OpTiming {
            // SAFETY: a static text.
            name: unsafe { text(raw.name) },
            seconds: raw.seconds,
            calls: raw.calls,
            bytes: raw.bytes,
            operations: raw.operations,
        };
        Ok(kept.as_slice().iter().map(timing).collect())
    }

    /// Forgets what was kept.
    pub fn reset_op_timings(&mut self) -> Result<()> {
        // SAFETY: as in time_ops().
        check(unsafe { sys::mla_context_reset_op_timings(self.raw()) })
    }
}
