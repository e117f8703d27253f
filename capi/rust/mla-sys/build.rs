//! Finds libmla, or builds it: the order is in src/lib.rs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for variable in ["MLA_LIB_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "DOCS_RS"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    if let Some(folder) = env::var_os("MLA_LIB_DIR") {
        let folder = PathBuf::from(folder);
        if !folder.join("libmla.so").exists() {
            panic!("MLA_LIB_DIR is {}, where no libmla.so is", folder.display());
        }
        link(&folder);
    } else if !link_installed() {
        link(&build(&source()));
    }
}

fn link(folder: &Path) {
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=dylib=mla");
    println!("cargo:libdir={}", folder.display());
}

/// False if pkg-config knows no library of this version. A step of 0.y may change the interface, so another y is not taken.
fn link_installed() -> bool {
    let pkg_config = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let (major, minor) = (number("CARGO_PKG_VERSION_MAJOR"), number("CARGO_PKG_VERSION_MINOR"));
    let (from, below) = (format!("mla >= {major}.{minor}"), format!("mla < {major}.{}", minor + 1));
    let output = match Command::new(pkg_config).args(["--libs", &from, &below]).output() {
        Ok(output) if output.status.success() => output,
        _ => return false,
    };
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    true
}

fn number(variable: &str) -> u32 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).expect("cargo sets the version")
}

fn source() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    if !root.join("capi/libmla.map").exists() {
        panic!(
            "no libmla: pkg-config knows none of version {}, and this crate is not in its source tree. Install libmla, or set MLA_LIB_DIR \
             to the folder that holds libmla.so",
            env!("CARGO_PKG_VERSION")
        );
    }
    root.canonicalize().expect("the source tree")
}

/// The folder that holds the library, built in Cargo's own output folder.
fn build(source: &Path) -> PathBuf {
    for part in ["CMakeLists.txt", "capi", "cmake", "include", "lib"] {
        if part != "capi" {
            println!("cargo:rerun-if-changed={}", source.join(part).display());
            continue;
        }
        let files = std::fs::read_dir(source.join(part)).expect("capi").flatten().map(|entry| entry.path());
        for file in files.filter(|file| file.is_file()) {
            println!("cargo:rerun-if-changed={}", file.display());
        }
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("build");
    let options = ["-DCMAKE_BUILD_TYPE=Release", "-DMLA_BUILD_TESTS=OFF", "-DMLA_BUILD_PROGRAMS=OFF"];
    run(Command::new("cmake").arg("-S").arg(source).arg("-B").arg(&folder).args(options));
    let jobs = env::var("NUM_JOBS").unwrap_or_else(|_| "1".to_string());
    run(Command::new("cmake").arg("--build").arg(&folder).args(["--target", "mla_capi", "--parallel", &jobs]));
    folder.join("lib")
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} ended with {status}: its messages are above"),
        Err(error) => panic!("{command:?}: {error}; cmake, a C++20 compiler and the packages of the README are needed to build libmla"),
    }
}
