use std::ffi::CStr;
use std::fmt;
use std::os::raw::c_char;

use mla_sys as sys;

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The caller passed something that can't be: a wrong size, an unknown sequence.
    InvalidArgument,
    /// A file that isn't there.
    NotFound,
    /// The operating system refused to read, write or map.
    IoError,
    /// A file that is truncated, damaged or contradicts itself.
    BadFile,
    /// A valid file or request that this version can't serve.
    Unsupported,
    /// An allocation failed; nothing was changed.
    OutOfMemory,
    /// The KV cache has no room for the batch; nothing was changed.
    CacheFull,
    /// A callback or an [`AbortHandle`](crate::AbortHandle) asked to stop; nothing was changed.
    Aborted,
    /// A bug in libmla.
    Internal,
}

impl Status {
    fn from_raw(status: sys::mla_status) -> Status {
        match status {
            sys::MLA_INVALID_ARGUMENT => Status::InvalidArgument,
            sys::MLA_NOT_FOUND => Status::NotFound,
            sys::MLA_IO_ERROR => Status::IoError,
            sys::MLA_BAD_FILE => Status::BadFile,
            sys::MLA_UNSUPPORTED => Status::Unsupported,
            sys::MLA_OUT_OF_MEMORY => Status::OutOfMemory,
            sys::MLA_CACHE_FULL => Status::CacheFull,
            sys::MLA_ABORTED => Status::Aborted,
            _ => Status::Internal,
        }
    }
}

/// What went wrong: a status, and one line that names the file, tensor, key or argument and, where there is one, the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

/// The result of every call that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Why the call failed.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The line that [`Display`](fmt::Display) writes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// For what this layer refuses before the library sees it.
    pub(crate) fn misuse(message: impl Into<String>) -> Error {
        Error { status: Status::InvalidArgument, message: message.into() }
    }

    pub(crate) fn last(status: sys::mla_status) -> Error {
        // SAFETY: always a zero-terminated text, borrowed until this thread's next call that fails; it is copied here.
        let message = unsafe { text(sys::mla_last_error()) };
        Error { status: Status::from_raw(status), message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub(crate) fn check(status: sys::mla_status) -> Result<()> {
    if status == sys::MLA_OK {
        Ok(())
    } else {
        Err(Error::last(status))
    }
}

/// A copy of the library's text.
///
/// # Safety
/// NULL, or zero-terminated.
pub(crate) unsafe fn text(data: *const c_char) -> String {
    if data.is_null() {
        return String::new();
    }
    CStr::from_ptr(data).to_string_lossy().into_owned()
}
