//! Continues a text:  cargo run --release --example generate -- MODEL.gguf "Once upon a time"

use std::io::Write;

use mla::{Context, Model, Sampler};

fn run(model: &str, prompt: &str) -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::load(model)?;
    let mut context = Context::new(&model)?;
    let mut sampler = Sampler::new()?;
    let mut out = std::io::stdout();
    write!(out, "{prompt}")?;
    for piece in context.generate_text(prompt, &mut sampler)?.max_tokens(64) {
        write!(out, "{}", piece?)?;
        out.flush()?;
    }
    writeln!(out)?;
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let result = match arguments.as_slice() {
        [_, model, prompt] => run(model, prompt),
        _ => Err("usage: generate MODEL.gguf PROMPT".into()),
    };
    if let Err(error) = result {
        eprintln!("generate: {error}");
        std::process::exit(1);
    }
}
