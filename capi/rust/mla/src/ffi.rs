//! What crosses the border: texts, and arrays that the library allocated.

use std::ffi::{CString, OsStr};
use std::os::raw::c_void;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use mla_sys as sys;

use crate::error::{Error, Result};

/// A zero-terminated copy; an error that names `what` if there is a zero inside.
pub(crate) fn c_text(given: &str, what: &str) -> Result<CString> {
    c_bytes(given.as_bytes(), what)
}

pub(crate) fn c_path(given: &OsStr) -> Result<CString> {
    c_bytes(given.as_bytes(), "the path")
}

fn c_bytes(given: &[u8], what: &str) -> Result<CString> {
    CString::new(given).map_err(|_| Error::misuse(format!("{what} holds a zero byte")))
}

pub(crate) fn count(n: usize, what: &str) -> Result<i32> {
    i32::try_from(n).map_err(|_| Error::misuse(format!("{what}: {n} are too many")))
}

/// An array that the library handed out to be freed.
pub(crate) struct Owned<T> {
    pub data: *mut T,
    pub len: usize,
}

impl<T: Copy> Owned<T> {
    pub fn none() -> Owned<T> {
        Owned { data: ptr::null_mut(), len: 0 }
    }

    pub fn as_slice(&self) -> &[T] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: the library filled both fields; the array lives until drop.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: NULL, or from a function that says "free it with mla_free()".
        unsafe { sys::mla_free(self.data as *mut c_void) }
    }
}
