//! The header's tokens: comments, words and punctuation, macros as one token, and none of the preprocessor's scaffolding.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// `beside`: something else stands before it on its line.
    Comment {
        text: String,
        beside: bool,
    },
    Word(String),
    Punctuation(char),
    Macro {
        name: String,
        value: String,
    },
}

pub fn tokens(header: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let text = without_scaffolding(header);
    let mut rest = text.as_str();
    let mut line_has_token = false;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\n' {
            line_has_token = false;
            1
        } else if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").expect("a comment without an end") + 2;
            out.push(Token::Comment { text: comment_text(&rest[2..end - 2]), beside: line_has_token });
            end
        } else if rest.starts_with("#define ") {
            let end = rest.find('\n').unwrap_or(rest.len());
            let (definition, comment) = rest[8..end].split_once("/*").unwrap_or((&rest[8..end], ""));
            assert!(comment.is_empty(), "put the comment of a macro above it: {definition}");
            let (name, value) = definition.split_once(' ').unwrap_or((definition, ""));
            out.push(Token::Macro { name: name.to_string(), value: value.trim().to_string() });
            end
        } else {
            line_has_token = true;
            let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            out.push(if word > 0 { Token::Word(rest[..word].to_string()) } else { Token::Punctuation(first) });
            word.max(first.len_utf8())
        };
        rest = &rest[taken..];
    }
    out
}

/// Joins continued lines; drops #include, the guards and what stands between #if and #endif inside them.
fn without_scaffolding(header: &str) -> String {
    let joined = header.replace("\\\n", " ");
    let mut kept = String::new();
    let mut depth = 0;
    for line in joined.lines() {
        let guard = line.starts_with("#ifndef MLA_") && line.ends_with("_H");
        if line.starts_with("#if") && !guard {
            depth += 1;
        } else if line.starts_with("#endif") && depth > 0 {
            depth -= 1;
        } else if depth == 0 && !guard && !line.starts_with("#include") && !line.starts_with("#endif") {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// A comment's lines without the stars that may begin them, joined by line ends.
fn comment_text(inside: &str) -> String {
    let lines: Vec<&str> = inside.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
    lines.join("\n").trim().to_string()
}
