//! The loop of mla-bench-generation (bench/generation_bench.cpp) in Rust: seconds to generate N tokens of text, once for each line on standard
//! input. bench/rust_overhead.py runs both in turns:  bench_generation MODEL N THREADS

use std::io::BufRead;
use std::time::Instant;

use mla::{Context, ContextOptions, Model, ModelOptions, RepackMode, Result, SamplerOptions, TextStream};

const PROMPT: [i32; 4] = [0, 11, 12, 13];

/// Seconds from the end of the prompt to the last token.
fn seconds(context: &mut Context, n_predict: usize) -> Result<f64> {
    context.cache_mut().clear()?;
    let tokenizer = context.model().tokenizer().ok(); // without one the model runs on token ids
    let mut options = SamplerOptions::new().seed(1);
    if let Some(eos) = tokenizer.as_ref().and_then(|tokenizer| tokenizer.eos()) {
        options = options.logit_bias(eos, f32::NEG_INFINITY);
    }
    let mut stream = tokenizer.as_ref().map(|tokenizer| TextStream::new(tokenizer, false)).transpose()?;
    let mut sampler = options.build()?;
    let mut text = String::new();
    let mut tokens = context.generate(&PROMPT, &mut sampler).max_tokens(n_predict + 1);
    tokens.next().transpose()?;
    let start = Instant::now();
    for token in tokens {
        let token = token?;
        if let Some(stream) = &mut stream {
            text.push_str(stream.push(token)?);
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

fn run() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, n_predict, n_threads]: [String; 4] = arguments.try_into().map_err(|_| "usage: bench_generation MODEL N THREADS")?;
    // Weights where the file maps them, so that both processes share them.
    let model: Model = ModelOptions::new().repack(RepackMode::Never).load(model)?;
    let mut context = ContextOptions::new().n_threads(n_threads.parse()?).build(&model)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", seconds(&mut context, n_predict.parse()?)?);
    }
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("bench_generation: {error}");
        std::process::exit(1);
    }
}
