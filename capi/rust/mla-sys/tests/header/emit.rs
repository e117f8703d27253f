//! Declarations as Rust: what src/bindings.rs holds.

use std::fmt::Write;

use super::{Item, Variable};

const HEAD: &str = "\
// Made from include/mla/mla.h and mla_experimental.h. Don't edit: tests/current.rs says how to make it anew.

use std::os::raw::{c_char, c_int, c_uint, c_void};
";

pub fn bindings(items: &[Item]) -> String {
    let mut out = String::from(HEAD);
    for item in items.iter().filter(|item| !matches!(item, Item::Function(_) | Item::Initialiser { .. })) {
        out.push('\n');
        emit(&mut out, item).expect("writing to a string");
    }
    out.push_str("\nextern \"C\" {\n");
    for item in items {
        if let Item::Function(function) = item {
            docs(&mut out, "    ", &function.docs);
            writeln!(out, "    pub fn {}{};", function.name, signature(function)).expect("writing to a string");
        }
    }
    out.push_str("}\n");
    out
}

fn emit(out: &mut String, item: &Item) -> std::fmt::Result {
    match item {
        Item::Enum { docs: text, name, values } => {
            docs(out, "", text);
            if !name.is_empty() {
                writeln!(out, "pub type {name} = c_uint;")?;
            }
            for (text, constant, value) in values {
                docs(out, "", text);
                writeln!(out, "pub const {constant}: {} = {value};", if name.is_empty() { "u32" } else { name })?;
            }
        }
        Item::Opaque { docs: text, name } => {
            docs(out, "", text);
            writeln!(out, "#[repr(C)]\npub struct {name} {{\n    _private: [u8; 0],\n    _marker: crate::Opaque,\n}}")?;
        }
        Item::Struct { docs: text, name, fields } => {
            docs(out, "", text);
            writeln!(out, "#[repr(C)]\n#[derive(Debug, Clone, Copy)]\npub struct {name} {{")?;
            for field in fields {
                docs(out, "    ", &field.docs);
                writeln!(out, "    pub {}: {},", rust_name(&field.name), rust_type(field))?;
            }
            writeln!(out, "}}")?;
            if fields[0].name == "struct_size" {
                initialiser(out, name)?;
            }
        }
        Item::Alias(alias) => {
            docs(out, "", &alias.docs);
            writeln!(out, "pub type {} = {};", alias.name, rust_type(alias))?;
        }
        Item::Constant { docs: text, name, value } => {
            docs(out, "", text);
            let (rust_type, value) = match value.as_str() {
                "((size_t)-1)" => ("usize", "usize::MAX".to_string()),
                number => ("c_int", number.trim_matches(|c| c == '(' || c == ')').to_string()),
            };
            writeln!(out, "pub const {name}: {rust_type} = {value};")?;
        }
        Item::Function(_) | Item::Initialiser { .. } => unreachable!("left out by the caller"),
    }
    Ok(())
}

fn initialiser(out: &mut String, name: &str) -> std::fmt::Result {
    writeln!(out, "impl Default for {name} {{")?;
    writeln!(out, "    /// What the header's initialiser macro sets: the size, and zeros.")?;
    writeln!(out, "    fn default() -> Self {{")?;
    writeln!(out, "        // SAFETY: integers, floats and pointers that may be null: all zeros is a value of each.")?;
    writeln!(out, "        Self {{ struct_size: std::mem::size_of::<Self>(), ..unsafe {{ std::mem::zeroed() }} }}")?;
    writeln!(out, "    }}\n}}")
}

fn docs(out: &mut String, indent: &str, text: &str) {
    for line in text.lines() {
        // Not Markdown: brackets are shapes, stars are pointers.
        let line = line.replace('[', "\\[").replace('*', "\\*").replace('<', "\\<");
        writeln!(out, "{indent}/// {line}").expect("writing to a string");
    }
}

fn signature(function: &Variable) -> String {
    let parameters = function.parameters.as_deref().unwrap_or_default();
    let named: Vec<String> = parameters.iter().map(|p| format!("{}: {}", rust_name(&p.name), rust_type(p))).collect();
    let returned = match value_type(&function.c_type) {
        nothing if nothing == "c_void" => String::new(),
        other => format!(" -> {other}"),
    };
    format!("({}){returned}", named.join(", "))
}

/// Keywords get an underscore, as bindgen does it.
fn rust_name(name: &str) -> String {
    let keyword = ["fn", "type", "match", "mod", "move", "override", "priv", "ref", "self", "use", "where", "yield"].contains(&name);
    format!("{name}{}", if keyword { "_" } else { "" })
}

fn rust_type(variable: &Variable) -> String {
    match variable.parameters {
        Some(_) => format!("Option<unsafe extern \"C\" fn{}>", signature(variable)),
        None => value_type(&variable.c_type),
    }
}

/// `const float * const *` is read from the right: a pointer to a constant pointer to constant floats.
fn value_type(c_type: &str) -> String {
    let c_type = c_type.trim();
    if let Some(pointee) = c_type.strip_suffix("const") {
        return value_type(pointee); // the pointer itself is constant: Rust says that where it points
    }
    if let Some(pointee) = c_type.strip_suffix('*') {
        let pointee = pointee.trim();
        let constant = pointee.ends_with("const") || pointee.starts_with("const") && !pointee.contains('*');
        return format!("*{} {}", if constant { "const" } else { "mut" }, value_type(pointee));
    }
    let name = c_type.trim_start_matches("const ").trim();
    match name {
        "void" => "c_void",
        "char" => "c_char",
        "int" => "c_int",
        "size_t" => "usize",
        "uint8_t" => "u8",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "float" => "f32",
        "double" => "f64",
        own if own.starts_with("mla_") => own,
        other => panic!("tests/header/emit.rs does not know the C type {other}"),
    }
    .to_string()
}
