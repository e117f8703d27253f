//! How alike two texts are to the model:  cargo run --release --example embeddings -- MODEL.gguf TEXT TEXT
//! A text's embedding is the mean of its tokens' embeddings; likeness is the cosine of the angle between two.

use mla::{Batch, Context, Model, Result};

/// The sum of the embeddings of a text's tokens, [n_embd].
fn embed(context: &mut Context, text: &str) -> Result<Vec<f32>> {
    let tokens = context.model().tokenizer()?.encode(text)?;
    let (no, yes) = (vec![false; tokens.len()], vec![true; tokens.len()]);
    context.cache_mut().clear()?; // texts know nothing of each other
    context.decode(Batch::tokens(&tokens).logits(&no).keep_embedding(&yes))?; // no logits: they cost more than all the rest
    let mut sum = vec![0.0; context.model().info().n_embd as usize];
    for row in 0..tokens.len() {
        for (total, value) in sum.iter_mut().zip(context.embedding(row)?) {
            *total += value;
        }
    }
    Ok(sum)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn run(model: &str, first: &str, second: &str) -> Result<()> {
    let mut context = Context::new(&Model::load(model)?)?;
    let (a, b) = (embed(&mut context, first)?, embed(&mut context, second)?);
    println!("{:.4}", dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt());
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let result = match arguments.as_slice() {
        [_, model, first, second] => run(model, first, second).map_err(|error| error.to_string()),
        _ => Err("usage: embeddings MODEL.gguf TEXT TEXT".to_string()),
    };
    if let Err(error) = result {
        eprintln!("embeddings: {error}");
        std::process::exit(1);
    }
}
