//! The demo model, for the tests that compute.
#![allow(dead_code)] // each test program uses its part

use std::path::{Path, PathBuf};

use mla::{Context, ContextOptions, Model, Sampler, Token};

pub fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/models/demo-f16.gguf")
}

pub fn model() -> Model {
    Model::load(model_path()).expect("the demo model")
}

pub fn context(model: &Model) -> Context {
    ContextOptions::new().n_threads(1).build(model).expect("a context")
}

pub fn encode(model: &Model, text: &str) -> Vec<Token> {
    model.tokenizer().unwrap().encode(text).unwrap()
}

/// What the model makes of a prompt, always with the largest logit.
pub fn greedy_text(context: &mut Context, prompt: &str, n: usize) -> String {
    let mut sampler = Sampler::greedy().unwrap();
    context.generate_text(prompt, &mut sampler).unwrap().max_tokens(n).collect::<mla::Result<String>>().unwrap()
}

/// A folder of its own that goes with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
