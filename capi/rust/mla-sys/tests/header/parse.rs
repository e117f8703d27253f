//! Tokens to declarations.

use super::lex::Token;
use super::{Item, Variable};

pub fn items(tokens: &[Token]) -> Vec<Item> {
    let mut parser = Parser { tokens, at: 0 };
    let mut items = Vec::new();
    while parser.at < tokens.len() {
        items.extend(parser.item());
    }
    items
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Parser<'_> {
    fn item(&mut self) -> Option<Item> {
        let docs = self.docs_above();
        match self.tokens.get(self.at)? {
            Token::Macro { name, value } => {
                self.at += 1;
                macro_item(docs, name, value)
            }
            Token::Word(word) if word == "typedef" => {
                self.at += 1;
                Some(self.type_definition(docs))
            }
            Token::Word(word) if word == "enum" => {
                self.at += 1;
                let values = self.enum_values();
                self.expect(';');
                Some(Item::Enum { docs, name: String::new(), values })
            }
            Token::Word(word) if word == "MLA_API" => {
                self.at += 1;
                let mut function = self.variable(docs);
                function.parameters = Some(self.parameters());
                self.expect(';');
                Some(Item::Function(function))
            }
            _ => self.give_up(),
        }
    }

    fn type_definition(&mut self, docs: String) -> Item {
        let kind = if self.next_is_word("enum") {
            "enum"
        } else if self.next_is_word("struct") {
            "struct"
        } else {
            let mut alias = self.variable(String::new());
            self.expect(';');
            alias.docs = self.docs_beside(docs);
            return Item::Alias(alias);
        };
        self.at += 1;
        let name = self.word();
        let item = match (kind, self.tokens.get(self.at)) {
            ("enum", _) => Item::Enum { docs, name: name.clone(), values: self.enum_values() },
            (_, Some(Token::Punctuation('{'))) => Item::Struct { docs, name: name.clone(), fields: self.fields() },
            _ => Item::Opaque { docs, name: name.clone() },
        };
        assert_eq!(self.word(), name, "a tag and its typedef differ");
        self.expect(';');
        item
    }

    fn enum_values(&mut self) -> Vec<(String, String, u32)> {
        let mut values = Vec::new();
        self.expect('{');
        while !self.next_is('}') {
            let above = self.docs_above();
            let name = self.word();
            self.expect('=');
            let value = self.word().parse().unwrap_or_else(|_| self.give_up());
            if self.next_is(',') {
                self.at += 1;
            }
            values.push((self.docs_beside(above), name, value));
        }
        self.expect('}');
        values
    }

    fn fields(&mut self) -> Vec<Variable> {
        let mut fields = Vec::new();
        self.expect('{');
        while !self.next_is('}') {
            let above = self.docs_above();
            let mut field = self.variable(String::new());
            self.expect(';');
            field.docs = self.docs_beside(above);
            fields.push(field);
        }
        self.expect('}');
        fields
    }

    fn parameters(&mut self) -> Vec<Variable> {
        let mut parameters = Vec::new();
        self.expect('(');
        if self.next_is_word("void") && self.tokens.get(self.at + 1) == Some(&Token::Punctuation(')')) {
            self.at += 1;
        }
        while !self.next_is(')') {
            parameters.push(self.variable(String::new()));
            if self.next_is(',') {
                self.at += 1;
            }
        }
        self.expect(')');
        parameters
    }

    /// `const float *const *name`, or `void (*name)(int a, …)`.
    fn variable(&mut self, docs: String) -> Variable {
        let mut c_type: Vec<String> = Vec::new();
        loop {
            match self.tokens.get(self.at) {
                Some(Token::Word(word)) => c_type.push(word.clone()),
                Some(Token::Punctuation('*')) => c_type.push("*".to_string()),
                Some(Token::Punctuation('(')) if self.tokens.get(self.at + 1) == Some(&Token::Punctuation('*')) => {
                    self.at += 1;
                    self.expect('*');
                    let name = self.word();
                    self.expect(')');
                    let parameters = Some(self.parameters());
                    return Variable { docs, c_type: c_type.join(" "), name, parameters };
                }
                _ => break,
            }
            self.at += 1;
        }
        let name = c_type.pop().unwrap_or_else(|| self.give_up());
        Variable { docs, c_type: c_type.join(" "), name, parameters: None }
    }

    /// The last comment above what follows; a line of dashes is a heading, not a comment on anything.
    fn docs_above(&mut self) -> String {
        let mut docs = String::new();
        while let Some(Token::Comment { text, .. }) = self.tokens.get(self.at) {
            docs = if text.starts_with("----") { String::new() } else { text.clone() };
            self.at += 1;
        }
        docs
    }

    fn docs_beside(&mut self, above: String) -> String {
        match self.tokens.get(self.at) {
            Some(Token::Comment { text, beside: true }) => {
                self.at += 1;
                format!("{above}\n{text}").trim().to_string()
            }
            _ => above,
        }
    }

    fn next_is(&self, wanted: char) -> bool {
        self.tokens.get(self.at) == Some(&Token::Punctuation(wanted))
    }

    fn next_is_word(&self, wanted: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word == wanted)
    }

    fn expect(&mut self, wanted: char) {
        if !self.next_is(wanted) {
            self.give_up::<()>();
        }
        self.at += 1;
    }

    fn word(&mut self) -> String {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                word.clone()
            }
            _ => self.give_up(),
        }
    }

    fn give_up<T>(&self) -> T {
        let around = &self.tokens[self.at.saturating_sub(10)..self.tokens.len().min(self.at + 5)];
        panic!("the header holds a construct that tests/header does not know; teach it this one: {around:?}")
    }
}

fn macro_item(docs: String, name: &str, value: &str) -> Option<Item> {
    let name = name.to_string();
    if name == "MLA_API" || value.is_empty() {
        return None;
    }
    if name.ends_with("_INIT") {
        let values = value.trim_matches(|c| c == '{' || c == '}').split(',').map(|v| v.trim().to_string()).collect();
        return Some(Item::Initialiser { name, values });
    }
    Some(Item::Constant { docs, name, value: value.to_string() })
}
