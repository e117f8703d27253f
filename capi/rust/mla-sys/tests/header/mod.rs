//! The C headers as data. It reads the constructs that they consist of and panics at any other, so that nothing is left out unnoticed.

pub mod emit;
pub mod lex;
pub mod parse;

/// A C type as it stands before a name, such as `const char *`, without spaces around the stars.
pub type CType = String;

#[derive(Debug, Clone)]
pub struct Variable {
    pub docs: String,
    pub c_type: CType,
    pub name: String,
    /// Of a pointer to a function: what it takes; `c_type` is then what it returns.
    pub parameters: Option<Vec<Variable>>,
}

#[derive(Debug, Clone)]
pub enum Item {
    /// Named, or "" for an enum that only has constants.
    Enum {
        docs: String,
        name: String,
        values: Vec<(String, String, u32)>,
    },
    Opaque {
        docs: String,
        name: String,
    },
    Struct {
        docs: String,
        name: String,
        fields: Vec<Variable>,
    },
    /// A name for a type, or for a pointer to a function.
    Alias(Variable),
    Function(Variable),
    /// A macro for a number, as C spells the number.
    Constant {
        docs: String,
        name: String,
        value: String,
    },
    /// MLA_…_INIT: the struct and the values.
    Initialiser {
        name: String,
        values: Vec<String>,
    },
}

pub fn read(paths: &[std::path::PathBuf]) -> Vec<Item> {
    let items = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        parse::items(&lex::tokens(&text))
    });
    items.flatten().collect()
}
