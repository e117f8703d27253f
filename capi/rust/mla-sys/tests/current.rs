//! src/bindings.rs is what the headers say. After a change of include/mla/mla.h or mla_experimental.h make it anew, then look at the difference:
//!     MLA_WRITE_BINDINGS=1 cargo test -p mla-sys --test current

mod header;
mod oracle;

use std::path::{Path, PathBuf};

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The stable header and, behind it, the one that includes it.
fn header_files() -> [PathBuf; 2] {
    ["mla.h", "mla_experimental.h"].map(|name| in_crate("../../../include/mla").join(name))
}

#[test]
fn the_bindings_are_those_of_the_header() {
    let made = header::emit::bindings(&header::read(&header_files()));
    let file = in_crate("src/bindings.rs");
    if std::env::var_os("MLA_WRITE_BINDINGS").is_some() {
        std::fs::write(&file, &made).expect("src/bindings.rs");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let different = committed.lines().zip(made.lines()).position(|(old, new)| old != new);
    let first = different.unwrap_or_else(|| committed.lines().count().min(made.lines().count()));
    assert!(
        committed == made,
        "src/bindings.rs is not what the headers say, from line {} on; MLA_WRITE_BINDINGS=1 makes it anew\n  file:   {:?}\n  header: {:?}",
        first + 1,
        committed.lines().nth(first),
        made.lines().nth(first),
    );
}

/// Default stands for the MLA_…_INIT macros, so these must say no more than zero.
#[test]
fn the_initialisers_are_zeros() {
    let items = header::read(&header_files());
    let zeros: Vec<&str> = items
        .iter()
        .filter_map(|item| match item {
            header::Item::Enum { values, .. } => values.iter().find(|(_, _, value)| *value == 0).map(|(_, name, _)| name.as_str()),
            _ => None,
        })
        .chain(["0", "NULL"])
        .collect();
    let mut n_seen = 0;
    for item in &items {
        if let header::Item::Initialiser { name, values } = item {
            n_seen += 1;
            assert!(values[0].starts_with("sizeof("), "{name} does not begin with the size");
            for value in &values[1..] {
                assert!(zeros.contains(&value.as_str()), "{name} sets {value}");
            }
        }
    }
    assert!(n_seen > 5, "only {n_seen} initialisers found");
}

#[test]
fn a_c_compiler_lays_the_structs_out_alike() {
    oracle::compare_layouts(&header_files(), &in_crate("src/bindings.rs"));
}

#[test]
fn bindgen_reads_the_header_alike() {
    oracle::compare_with_bindgen(&header_files(), &in_crate("src/bindings.rs"));
}
