//! What others make of the header: a C compiler and bindgen. Where one is missing, the test says so and passes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::header::{self, Item};

fn skipped(what: &str) {
    eprintln!("SKIPPED: {what}");
    // The test harness swallows what a passing test writes; this reaches the log all the same.
    let _ = std::fs::OpenOptions::new().write(true).open("/dev/stderr").map(|mut log| {
        use std::io::Write;
        writeln!(log, "SKIPPED: {what}")
    });
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}

fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().map_or(false, |output| output.status.success())
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Two programs that print every size, offset and constant, one in C from the header, one in Rust from the bindings.
pub fn compare_layouts(headers: &[PathBuf], bindings: &Path) {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
    if !exists(&cc) {
        return skipped(&format!("no C compiler ({cc}): the layout of the structs is not compared"));
    }
    let mut c = String::from("#include <stdio.h>\n#include <mla/mla_experimental.h>\nint main(void) {\n");
    let mut rust = format!(
        "#![allow(dead_code)]\npub type Opaque = ();\n#[path = {bindings:?}]\n#[allow(non_camel_case_types)]\nmod bindings;\nuse bindings::*;\n\
         fn main() {{\n"
    );
    let mut say = |name: String, c_value: String, rust_value: String| {
        c.push_str(&format!("  printf(\"{name} %lld\\n\", (long long)({c_value}));\n"));
        rust.push_str(&format!("    println!(\"{name} {{}}\", ({rust_value}) as i64);\n"));
    };
    for item in header::read(headers) {
        match item {
            Item::Struct { name, fields, .. } => {
                say(name.clone(), format!("sizeof({name})"), format!("std::mem::size_of::<{name}>()"));
                for field in fields {
                    let field = field.name;
                    let offset = format!(
                        "{{ let m = std::mem::MaybeUninit::<{name}>::zeroed(); let p = m.as_ptr(); \
                         unsafe {{ std::ptr::addr_of!((*p).{field}) as usize - p as usize }} }}"
                    );
                    say(format!("{name}.{field}"), format!("offsetof({name}, {field})"), offset);
                }
            }
            Item::Enum { name, values, .. } => {
                if !name.is_empty() {
                    say(name.clone(), format!("sizeof({name}) + ((({name})-1) > 0)"), format!("std::mem::size_of::<{name}>() + 1"));
                }
                for (_, value, _) in values {
                    say(value.clone(), value.clone(), value);
                }
            }
            Item::Constant { name, .. } => say(name.clone(), name.clone(), name),
            _ => {}
        }
    }
    c.push_str("  return 0;\n}\n");
    rust.push_str("}\n");

    let folder = scratch("layout");
    std::fs::write(folder.join("c.c"), c).expect("c.c");
    std::fs::write(folder.join("rust.rs"), rust).expect("rust.rs");
    let include = headers[0].parent().and_then(Path::parent).expect("include/");
    output_of(Command::new(cc).current_dir(&folder).arg("-I").arg(include).args(["c.c", "-o", "c"]));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    output_of(Command::new(rustc).current_dir(&folder).args(["--edition", "2021", "rust.rs", "-o", "rust"]));
    let from_c = output_of(&mut Command::new(folder.join("c")));
    let from_rust = output_of(&mut Command::new(folder.join("rust")));
    assert!(from_c.lines().count() > 100, "too little to compare: {from_c}");
    for (in_c, in_rust) in from_c.lines().zip(from_rust.lines()) {
        assert_eq!(in_c, in_rust, "C on the left, Rust on the right");
    }
    assert_eq!(from_c.lines().count(), from_rust.lines().count());
}

/// Every function, struct, type and constant as bindgen writes it, spaces and paths apart.
pub fn compare_with_bindgen(headers: &[PathBuf], bindings: &Path) {
    if !exists("bindgen") {
        return skipped("no bindgen (apt-get install bindgen): the signatures are not compared with it");
    }
    let made = Command::new("bindgen")
        .arg(headers.last().expect("a header")) // which includes the others
        .args(["--allowlist-function", "mla_.*", "--allowlist-type", "mla_.*", "--allowlist-var", "MLA_.*"])
        .args(["--no-layout-tests", "--no-doc-comments", "--no-prepend-enum-name", "--no-derive-debug", "--no-derive-copy"])
        .arg("--")
        .arg("-I")
        .arg(headers[0].parent().and_then(Path::parent).expect("include/"))
        .output()
        .expect("bindgen");
    assert!(made.status.success(), "bindgen: {}", String::from_utf8_lossy(&made.stderr));
    let theirs = declarations(&String::from_utf8(made.stdout).expect("UTF-8"));
    let ours = declarations(&std::fs::read_to_string(bindings).expect("src/bindings.rs"));
    let n_functions = ours.iter().filter(|declaration| declaration.starts_with("fn")).count();
    assert!(n_functions > 50, "only {n_functions} functions");
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    let strange: Vec<&String> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && strange.is_empty(), "bindgen has {missing:#?}, the bindings have {strange:#?}");
}

/// What follows each `pub`, up to its end; opaque types, which differ in their private fields, and plain numbers, which differ in their
/// type (the layout test has their values), left out.
fn declarations(rust: &str) -> BTreeSet<String> {
    let code: String =
        rust.lines().filter(|line| !line.trim().starts_with("//") && !line.trim().starts_with("#[")).collect::<Vec<_>>().join("\n");
    let mut packed: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        ("::std::os::raw::", ""),
        ("::std::option::", ""),
        ("::core::ffi::", ""),
        (" ", ""),
        (",)", ")"),
        (",}", "}"),
        (",>", ">"),
        (":size_t", ":usize"),
        ("mutsize_t", "mutusize"),
    ] {
        packed = packed.replace(from, to);
    }
    let starts: Vec<usize> =
        ["pubfnmla_", "pubstructmla_", "pubtypemla_"].iter().flat_map(|key| packed.match_indices(key)).map(|(at, _)| at).collect();
    starts
        .into_iter()
        .map(|at| {
            let body = &packed[at + 3..];
            let end = if body.starts_with("struct") { body.find('}') } else { body.find(';') };
            body[..end.expect("an end")].to_string()
        })
        .filter(|declaration| !declaration.contains("[u8;0"))
        .collect()
}
