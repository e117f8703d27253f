//! Raw bindings of libmla: the functions and types of `<mla/mla.h>` and `<mla/mla_experimental.h>`, one to one. The crate `mla` is the safe layer
//! over them. What the second header declares may change, or go, with any version.
//!
//! The headers' comments stand here too: ownership, threads, units and errors are what they say. Structs that begin with `struct_size` have
//! a [`Default`] that stands for the header's `MLA_…_INIT` macros.
//!
//! # Where the library comes from
//! `build.rs` takes the first of these:
//! 1. the folder that the environment variable `MLA_LIB_DIR` names, which holds `libmla.so`;
//! 2. an installed library of this version, as `pkg-config mla` tells;
//! 3. the source tree around this crate, which it builds with CMake (the project's README says what that needs).
//!
//! The library is a shared one. Cargo finds the third kind by itself when it runs programs and tests; the loader must be able to find the
//! others (`ldconfig`, `LD_LIBRARY_PATH`, or `RUSTFLAGS="-C link-arg=-Wl,-rpath,…"`).
//!
//! ```
//! // SAFETY: a function without preconditions; the text is static.
//! let version = unsafe { std::ffi::CStr::from_ptr(mla_sys::mla_version()) };
//! assert!(version.to_str().unwrap().starts_with("0."));
//! ```
#![allow(non_camel_case_types)]

#[rustfmt::skip]
mod bindings;

pub use bindings::*;

/// Makes the types behind pointers neither `Send` nor `Sync` nor `Unpin`.
pub(crate) type Opaque = std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>;
