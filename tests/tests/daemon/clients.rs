//! Clients that do what no client should: the others must not notice.

use crate::{bare, connected, make};
use futures_util::future::join_all;
use hv_api::Core;
use hv_tests::{Home, Script, within};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A client that holds others up is cut off after 5 s; whoever waits less was not held up.
const PROMPT: Duration = Duration::from_secs(3);

/// A client that writes bytes.
pub struct Raw(UnixStream);

impl Raw {
    pub async fn connect(home: &Home) -> Self {
        Self(UnixStream::connect(home.socket()).await.expect("the core listens"))
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the core reads");
    }

    /// The next answer; nothing where the core has hung up.
    async fn answer(&mut self) -> Option<Value> {
        let mut bytes = Vec::new();
        loop {
            match within("an answer", self.0.read_u8()).await {
                Ok(0) => return Some(serde_json::from_slice(&bytes).expect("JSON")),
                Ok(byte) => bytes.push(byte),
                Err(_end) => return None,
            }
        }
    }

    pub async fn call(&mut self, call: &Value) -> Option<Value> {
        self.send(format!("{call}\0").as_bytes()).await;
        self.answer().await
    }
}

pub fn method(name: &str, parameters: &Value) -> Value {
    json!({ "method": format!("dev.guesthouse.Core.{name}"), "parameters": parameters })
}

async fn others_are_served(home: &Home) {
    let begun = Instant::now();
    let mut core = home.connect().await;
    core.list().await.expect("a connection").expect("an answer");
    assert!(begun.elapsed() < PROMPT, "another client waited {:?}", begun.elapsed());
}

#[tokio::test]
async fn clients_that_say_nothing_hold_nobody_up() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    for count in [10, 200] {
        let silent = join_all((0..count).map(|_| Raw::connect(&home))).await;
        others_are_served(&home).await;
        drop(silent);
    }
    others_are_served(&home).await;
}

#[tokio::test]
async fn nonsense_ends_at_most_the_client_that_sends_it() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let deep = [vec![b'['; 100_000], vec![0]].concat();
    for nonsense in [
        &b"\0"[..],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\0",
        b"\xff\xfe\xfd\0",
        b"{\"method\": 7}\0",
        b"{\"method\": \"dev.guesthouse.Core.Show\", \"parameters\": []}\0",
        b"{}\0null\0[]\0\"\"\0",
        &deep,
    ] {
        let mut client = Raw::connect(&home).await;
        client.send(nonsense).await;
        let answer = client.answer().await;
        let error = answer.as_ref().map(|answer| answer["error"].as_str().unwrap_or_default());
        assert!(error.is_none_or(|error| error.starts_with("org.varlink.service.")), "{answer:?}");
        others_are_served(&home).await;
    }
}

#[tokio::test]
async fn half_a_call_is_waited_for_and_forgotten() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let call = format!("{}\0", method("List", &json!({})));
    let (start, end) = call.split_at(call.len() / 2);
    let mut slow = Raw::connect(&home).await;
    slow.send(start.as_bytes()).await;
    others_are_served(&home).await;
    slow.send(end.as_bytes()).await;
    assert_eq!(slow.answer().await.expect("an answer")["parameters"]["guests"], json!([]));
    slow.send(start.as_bytes()).await;
    drop(slow);
    others_are_served(&home).await;
}

#[tokio::test]
async fn a_call_without_an_end_is_cut_off() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let mut endless = Raw::connect(&home).await;
    let written = endless.0.write_all(&vec![b' '; 2 << 20]).await;
    assert!(written.is_err(), "two megabytes were taken");
    assert_eq!(endless.answer().await, None);
    others_are_served(&home).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_nobody() {
    let home = Home::with_fake_qemu(&Script { serial: "x".repeat(200 << 10), ..Script::default() });
    let _core = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &bare("talker")).await.expect("a guest");
    core.start("talker", None).await.expect("a connection").expect("it starts");
    let call = format!("{}\0", method("Log", &json!({"guest": "talker", "log": "serial"})));
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::connect(&home).await;
        client.send(call.repeat(20).as_bytes()).await;
        deaf.push(client);
        let mut watcher = Raw::connect(&home).await;
        watcher
            .send(format!("{}\0", json!({"method": "dev.guesthouse.Core.Watch", "more": true})).as_bytes())
            .await;
        deaf.push(watcher);
    }
    for round in 0..3 {
        others_are_served(&home).await;
        make(&mut core, &bare(&format!("meanwhile {round}"))).await.expect("a guest");
    }
}

#[tokio::test]
async fn unknown_methods_and_wrong_parameters_are_named() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let mut client = Raw::connect(&home).await;
    for (call, error) in [
        (method("Fly", &json!({})), "MethodNotFound"),
        (json!({"method": "dev.guesthouse.Core.Fly"}), "MethodNotFound"),
        (json!({"method": "org.varlink.service.Fly"}), "MethodNotFound"),
        (json!({"method": "org.example.Other.List"}), "InterfaceNotFound"),
        (json!({"method": "org.example.Other.List", "parameters": {}}), "InterfaceNotFound"),
        (method("Show", &json!({})), "InvalidParameter"),
        (method("Show", &json!({"guest": 7})), "InvalidParameter"),
        (method("Start", &json!({"guest": "a", "paused": "yes"})), "InvalidParameter"),
        (method("Create", &json!({"guest": {"name": "a", "cpus": -1}})), "InvalidParameter"),
        (method("Create", &json!({"guest": {"name": "a", "cpus": 5_000_000_000_u64}})), "InvalidParameter"),
        (method("Log", &json!({"guest": "a", "log": "diary"})), "InvalidParameter"),
        (method("Follow", &json!({"job": "first"})), "InvalidParameter"),
    ] {
        let answer = client.call(&call).await.unwrap_or_else(|| panic!("cut off after {call}"));
        let told = answer["error"].as_str().unwrap_or_default();
        let told = told.strip_prefix("org.varlink.service.").unwrap_or(told);
        assert_eq!(told, error, "{call}: {answer}");
        let named = answer["parameters"].as_object().expect("what was wrong").values().next();
        let named = named.and_then(Value::as_str).expect("what was wrong").to_owned();
        assert!(call.to_string().contains(&named), "{call}: {answer}");
    }
    // The same client is still served, and what is new to this core does not disturb it.
    let call = method("Show", &json!({"guest": "a", "from_the_future": true}));
    let answer = client.call(&call).await.expect("an answer");
    assert_eq!(answer["error"], "dev.guesthouse.Core.GuestNotFound", "{answer}");
    let answer = client.call(&method("List", &json!({}))).await.expect("an answer");
    assert_eq!(answer["parameters"]["guests"], json!([]), "{answer}");
    let info = client.call(&json!({"method": "org.varlink.service.GetInfo"})).await.expect("an answer");
    assert_eq!(info["parameters"]["product"], "hv-core");
}

#[tokio::test]
async fn calls_in_one_write_are_answered_in_their_order() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let mut client = Raw::connect(&home).await;
    let names: Vec<String> = (0..50).map(|number| format!("guest {number}")).collect();
    let calls = names.iter().map(|name| format!("{}\0", method("Show", &json!({"guest": name}))));
    client.send(calls.collect::<String>().as_bytes()).await;
    for name in names {
        let answer = client.answer().await.expect("an answer");
        assert_eq!(answer["error"], "dev.guesthouse.Core.GuestNotFound");
        assert_eq!(answer["parameters"]["guest"], name);
    }
}
