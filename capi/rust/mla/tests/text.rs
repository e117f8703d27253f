//! Tokenizer, text stream, chat template, sampler.

mod common;

use mla::{ChatMessage, ChatOptions, ChatTemplate, EncodeOptions, Sampler, SamplerOptions, TextStream, TokenKind};

#[test]
fn text_goes_to_tokens_and_back() {
    let tokenizer = common::model().tokenizer().unwrap(); // outlives the name of its model
    let text = "Naïve Ωmega — 日本語 🐋, said he.";
    let tokens = tokenizer.encode_with(text, EncodeOptions { no_special: true, ..Default::default() }).unwrap();
    assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
    assert_eq!(tokenizer.decode_bytes(&tokens, true).unwrap(), text.as_bytes());
    let pieces: Vec<u8> = tokens.iter().flat_map(|token| tokenizer.piece(*token).unwrap().to_vec()).collect();
    assert_eq!(pieces, text.as_bytes());
    for token in &tokens {
        assert_eq!(tokenizer.kind(*token).unwrap(), TokenKind::Normal);
        assert_eq!(tokenizer.find(tokenizer.piece(*token).unwrap()), Some(*token));
    }
    assert_eq!(tokenizer.find("no such token, surely"), None);
    assert_eq!(tokenizer.size(), common::model().info().n_vocab);
    assert!(!tokenizer.pre().is_empty());

    let mut stream = TextStream::new(&tokenizer, false).unwrap();
    let mut streamed = String::new();
    for token in &tokens {
        streamed.push_str(stream.push(*token).unwrap());
    }
    streamed.push_str(stream.finish().unwrap());
    assert_eq!(streamed, text);
}

#[test]
fn control_tokens_come_only_when_they_are_asked_for() {
    let tokenizer = common::model().tokenizer().unwrap();
    let bos = tokenizer.bos().expect("the demo model has one");
    assert!(tokenizer.is_end_of_generation(tokenizer.eos().unwrap()));
    assert_eq!(tokenizer.kind(bos).unwrap(), TokenKind::Control);
    let text = String::from_utf8(tokenizer.piece(bos).unwrap().to_vec()).unwrap();
    let plain = EncodeOptions { no_special: true, parse_special: false };
    assert!(!tokenizer.encode_with(&text, plain).unwrap().contains(&bos));
    assert_eq!(tokenizer.encode_with(&text, EncodeOptions { parse_special: true, ..plain }).unwrap(), [bos]);
    assert_eq!(tokenizer.encode("").unwrap().contains(&bos), tokenizer.add_bos());
}

#[test]
fn conversations_are_rendered_and_encoded() {
    let tokenizer = common::model().tokenizer().unwrap();
    let template =
        ChatTemplate::new("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{{ mood }}").unwrap();
    let messages = [ChatMessage::system("Be brief."), ChatMessage::user("Hello"), ChatMessage::assistant("Hi")];
    let options =
        ChatOptions { bos_token: Some("^".to_string()), extra_json: Some(r#"{"mood": "calm"}"#.to_string()), ..Default::default() };
    let expected = "^[system] Be brief.\n[user] Hello\n[assistant] Hi\ncalm";
    assert_eq!(template.render(&messages, &options).unwrap(), expected);
    let json =
        r#"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]"#;
    assert_eq!(template.render_json(json, &options).unwrap(), expected);
    let tokens = template.encode(&tokenizer, &messages, &options).unwrap();
    assert_eq!(tokenizer.decode(&tokens).unwrap(), expected);
    assert_eq!(template.encode_json(&tokenizer, json, &options).unwrap(), tokens);
    let of_model = ChatTemplate::of(&common::model()).unwrap();
    assert_eq!(of_model.is_some(), !common::model().chat_template().is_empty());
}

#[test]
fn samplers_keep_their_promises() {
    let logits: Vec<f32> = (0..100).map(|i| ((i * 37) % 100) as f32 / 20.0).collect();
    let best = (0..100).find(|i| logits[*i] == 99.0 / 20.0).unwrap() as i32;
    assert_eq!(Sampler::greedy().unwrap().sample(&logits).unwrap(), best);
    let all = SamplerOptions::new().temperature(1.0).top_k(0).top_p(1.0).min_p(0.0);
    let mut all = all.build().unwrap();
    let probabilities = all.probabilities(&logits).unwrap();
    assert_eq!(probabilities.len(), 100);
    assert!((probabilities.iter().map(|p| p.probability).sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!(probabilities[0].token, best);
    let normaliser: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    assert!((probabilities[0].probability - f64::from(99.0f32 / 20.0).exp() / normaliser).abs() < 1e-6);

    let mut first = SamplerOptions::new().seed(5).build().unwrap();
    first.sample(&logits).unwrap();
    let mut second = first.try_clone().unwrap();
    let draw = |sampler: &mut Sampler| (0..50).map(|_| sampler.sample(&logits).unwrap()).collect::<Vec<_>>();
    let drawn = draw(&mut first);
    assert_eq!(drawn, draw(&mut second));
    first.reset().unwrap();
    assert_ne!(drawn, draw(&mut second));

    let mut banned = SamplerOptions::new().temperature(0.0).logit_bias(best, f32::NEG_INFINITY).build().unwrap();
    assert_ne!(banned.sample(&logits).unwrap(), best);
    let mut only = SamplerOptions::new()
        .mask(|logits| {
            logits[1..].fill(f32::NEG_INFINITY);
            std::ops::ControlFlow::Continue(())
        })
        .build()
        .unwrap();
    assert_eq!(only.sample(&logits).unwrap(), 0);
    let mut penalised = SamplerOptions::new().temperature(0.0).presence_penalty(100.0).build().unwrap();
    penalised.accept(best).unwrap();
    assert_ne!(penalised.sample(&logits).unwrap(), best);
    assert!((SamplerOptions::new().mirostat(3.0, 0.2).build().unwrap().mirostat_mu() - 6.0).abs() < 1e-9);
}
