//! The client of the guest's agent, with agents that answer, stall, lie and talk without end.

use super::*;
use proptest::prelude::*;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// QMP at whose other end the agent's port is open, or not.
async fn monitor(open: bool) -> Client {
    let (near, far) = UnixStream::pair().expect("a pair");
    tokio::spawn(answer_qmp(far, move |_question| open));
    Client::connect(near, Duration::from_secs(10)).await.expect("a client").0
}

async fn answer_qmp(far: UnixStream, is_open: impl Fn(u32) -> bool) {
    let mut peer = BufReader::new(far);
    peer.get_mut().write_all(b"{\"QMP\": {}}\n").await.expect("a client");
    let (mut line, mut question) = (String::new(), 0);
    while matches!(peer.read_line(&mut line).await, Ok(1..)) {
        let call: Value = serde_json::from_str(&line).expect("a call");
        line.clear();
        if call["execute"] == "query-chardev" {
            question += 1;
        }
        let answer = json!([{ "label": "mon", "frontend-open": true },
            { "label": PORT, "frontend-open": is_open(question), "filename": "unix" }]);
        let reply = json!({ "return": answer, "id": call["id"] });
        if peer.get_mut().write_all(format!("{reply}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// An agent that gives these answers, after what it had said before.
fn agent(before: &'static [u8], answers: &[&str]) -> Agent {
    let (near, far) = UnixStream::pair().expect("a pair");
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    tokio::spawn(async move {
        let mut peer = BufReader::new(far);
        peer.get_mut().write_all(before).await.expect("a core");
        let mut answers = answers.into_iter();
        let mut line = Vec::new();
        while matches!(peer.read_until(b'\n', &mut line).await, Ok(1..)) {
            let question = line.strip_prefix(b"\xff").unwrap_or(&line);
            let question: Value = serde_json::from_slice(question).expect("a question");
            line.clear();
            let answer = if question["execute"] == "guest-sync-delimited" {
                let number = &question["arguments"]["id"];
                [b"\xff".as_slice(), json!({ "return": number }).to_string().as_bytes(), b"\n"].concat()
            } else {
                match answers.next() {
                    Some(answer) => format!("{answer}\n").into_bytes(),
                    None => continue,
                }
            };
            if peer.get_mut().write_all(&answer).await.is_err() {
                return;
            }
        }
    });
    Agent::new(near)
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

const INTERFACES: &str = r#"{"return": [
    {"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [
        {"ip-address-type": "ipv4", "ip-address": "127.0.0.1", "prefix": 8}]},
    {"name": "eth0", "hardware-address": "52:54:00:AA:bb:01", "ip-addresses": [
        {"ip-address-type": "ipv4", "ip-address": "10.0.2.15", "prefix": 24},
        {"ip-address-type": "ipv6", "ip-address": "fe80::1", "prefix": 64},
        {"ip-address-type": "ipv4", "ip-address": "$(reboot)"}],
     "statistics": {"rx-bytes": 10, "tx-bytes": 20, "rx-packets": 1, "tx-packets": 2, "rx-errs": 0}},
    {"name": "tun0"}, 7,
    {"name": "br0", "hardware-address": "52:54:00:aa:bb:01", "ip-addresses": [
        {"ip-address": "192.168.7.2"}, {"ip-address": "10.0.2.15"}],
     "statistics": {"rx-bytes": 9, "tx-bytes": 25, "rx-packets": 1, "tx-packets": 2}}]}"#;

#[tokio::test]
async fn what_an_agent_says_of_its_cards_is_taken_if_it_has_the_form() {
    let client = monitor(true).await;
    let interfaces = one_line(INTERFACES);
    let agent = agent(b"half an old ans\xff{\"return\": 99999}\n", &[&interfaces, "{\"return\": {}}"]);
    let nic = NicStatistics {
        mac: "52:54:00:aa:bb:01".parse().expect("an address"),
        addresses: vec!["10.0.2.15".into(), "fe80::1".into(), "192.168.7.2".into()],
        received: 10,
        sent: 25,
        packets_received: 1,
        packets_sent: 2,
    };
    assert_eq!(agent.nics(&client).await, Ok(vec![nic]));
    assert!(matches!(agent.nics(&client).await, Err(AgentError::Odd(_))));
}

#[tokio::test]
async fn where_no_agent_runs_none_is_asked() {
    let client = monitor(false).await;
    let (near, mut far) = UnixStream::pair().expect("a pair");
    let agent = Agent::new(near);
    assert_eq!(agent.nics(&client).await, Err(AgentError::Absent));
    drop(agent);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.expect("the end");
    assert_eq!(heard, b"", "nothing lies there for an agent that comes later");
}

#[tokio::test]
async fn an_agent_that_is_silent_is_left_alone_for_a_while() {
    let client = monitor(true).await;
    let (near, _far) = UnixStream::pair().expect("a pair");
    let silent = Agent::new(near);
    assert_eq!(silent.nics(&client).await, Err(AgentError::Silent));
    let begun = Instant::now();
    assert_eq!(silent.shut_down(&client).await, Err(AgentError::Absent));
    assert!(begun.elapsed() < DEADLINE, "nobody is kept waiting twice");
}

#[tokio::test]
async fn shutting_down_has_no_answer_but_a_refusal() {
    let client = monitor(true).await;
    assert_eq!(agent(b"", &[]).shut_down(&client).await, Ok(()));
    let refusing = agent(b"", &[r#"{"error": {"class": "CommandNotFound", "desc": "not\u001b here"}}"#]);
    assert_eq!(refusing.shut_down(&client).await, Err(AgentError::Refused("not  here".into())));
}

#[tokio::test]
async fn an_agent_that_was_told_to_shut_down_in_vain_is_not_told_again() {
    let client = monitor(true).await;
    // It answers, and does nothing.
    let agent = agent(b"", &[]);
    assert_eq!(agent.shut_down(&client).await, Ok(()));
    assert!(matches!(agent.shut_down(&client).await, Err(AgentError::Refused(_))));
    assert!(agent.answers(&client).await);
}

#[tokio::test]
async fn the_clock_is_set_also_where_the_agent_was_silent_while_the_machine_stood() {
    let client = monitor(true).await;
    let agent = agent(b"", &[r#"{"return": {}}"#]);
    note(&agent.silent, true);
    assert!(!agent.answers(&client).await);
    assert_eq!(agent.set_clock(&client, false).await, Ok(()));
    let absent = monitor(false).await;
    assert_eq!(agent.set_clock(&absent, false).await, Err(AgentError::Absent));
}

#[tokio::test]
async fn an_agent_that_talks_without_end_is_not_listened_to() {
    let client = monitor(true).await;
    let (near, mut far) = UnixStream::pair().expect("a pair");
    tokio::spawn(async move { while far.write_all(&[b'x'; 4096]).await.is_ok() {} });
    let agent = Agent::new(near);
    let found = agent.nics(&client).await;
    assert!(matches!(found, Err(AgentError::Odd(_) | AgentError::Silent)), "{found:?}");
    let channel = agent.channel.lock().await;
    assert!(channel.unread.len() <= ANSWER_LIMIT + (64 << 10), "{}", channel.unread.len());
}

/// QEMU learns that an agent holds its port open only when the restored guest has run for a moment.
#[tokio::test]
async fn the_agent_of_a_restored_machine_is_looked_for_until_it_is_there() {
    let (near, far) = UnixStream::pair().expect("a pair");
    tokio::spawn(answer_qmp(far, |question| question > 2));
    let client = Client::connect(near, Duration::from_secs(10)).await.expect("a client").0;
    let agent = agent(b"", &[r#"{"return": {}}"#]);
    assert_eq!(agent.set_clock(&client, true).await, Ok(()));
}

#[tokio::test]
async fn answers_that_are_none_harm_nobody() {
    let client = monitor(true).await;
    let long = format!("{{\"return\": \"{}\"}}", "x".repeat(ANSWER_LIMIT));
    let deep = "[".repeat(100_000);
    let many = format!("{{\"return\": [{}]}}", vec!["{}"; 20_000].join(","));
    for answer in [
        "",
        "{",
        "{\"return\": [",
        "[]",
        "null",
        "{\"return\": null}",
        "{\"return\": 7, \"id\": 99}",
        "{\"error\": 7}",
        "{\"error\": {\"desc\": 7}}",
        "\u{0}\u{0}\u{ff}",
        &deep,
        &long,
    ] {
        let agent = agent(b"", &[answer, &one_line(INTERFACES)]);
        let told = agent.nics(&client).await;
        assert!(
            matches!(told, Err(AgentError::Odd(_) | AgentError::Refused(_) | AgentError::Silent)),
            "{answer:.20}: {told:?}"
        );
        // What comes next is understood again.
        note(&agent.silent, false);
        assert_eq!(agent.nics(&client).await.map(|nics| nics.len()), Ok(1), "{answer:.20}");
    }
    let agent = agent(b"", &[&many]);
    assert_eq!(agent.nics(&client).await, Ok(Vec::new()));
    let nic = |end: u32| {
        json!({ "hardware-address": format!("52:54:00:00:{:02x}:{:02x}", end >> 8, end & 0xff),
        "ip-addresses": (0..1000).map(|n| json!({ "ip-address": format!("10.0.{}.{}", n >> 8, n & 0xff) })).collect::<Vec<_>>() })
    };
    let told = nics(&Value::from((0..1000).map(nic).collect::<Vec<_>>())).expect("cards");
    assert_eq!((told.len(), told[0].addresses.len()), (MOST_NICS, MOST_ADDRESSES));
}

#[tokio::test]
async fn answers_to_other_questions_are_none_to_this_one() {
    let client = monitor(true).await;
    let (near, far) = UnixStream::pair().expect("a pair");
    tokio::spawn(async move {
        let mut peer = BufReader::new(far);
        let mut line = Vec::new();
        while matches!(peer.read_until(b'\n', &mut line).await, Ok(1..)) {
            line.clear();
            // Whatever was asked: an answer to the question before, or after, or none.
            let _gone = peer.get_mut().write_all(b"\xff{\"return\": 0}\n\xff{\"return\": 1000}\n").await;
        }
    });
    let agent = Agent::new(near);
    let begun = Instant::now();
    assert_eq!(agent.nics(&client).await, Err(AgentError::Silent));
    assert!(begun.elapsed() < DEADLINE * 3);
}

/// QEMU's own agent, at a socket instead of a guest's port, and without the right to do anything to this host.
#[tokio::test]
async fn the_agent_that_people_use_is_understood() {
    let programs = ["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"];
    let Some(program) = programs.iter().find(|program| Path::new(program).exists()) else {
        eprintln!("SKIPPED: qemu-ga is not installed");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("agent");
    let mut command = Command::new(program);
    command.arg("-m").arg("unix-listen").arg("-p").arg(&socket).arg("-t").arg(folder.path());
    command.args(["-b", "guest-shutdown,guest-set-time,guest-exec,guest-file-open,guest-fsfreeze-freeze"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let _agent = command.spawn().expect("an agent");
    let deadline = Instant::now() + Duration::from_secs(10);
    let stream = loop {
        match UnixStream::connect(&socket).await {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "it does not listen: {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    };
    let client = monitor(true).await;
    let agent = Agent::new(stream);
    assert!(agent.answers(&client).await);
    let told = agent.nics(&client).await.expect("cards");
    let own = std::fs::read_dir("/sys/class/net").expect("cards").filter_map(|card| {
        let address = std::fs::read_to_string(card.ok()?.path().join("address")).ok()?;
        address.trim().parse::<MacAddress>().ok()
    });
    let (mut own, mut found): (Vec<_>, Vec<_>) = (own.collect(), told.iter().map(|nic| nic.mac).collect());
    own.sort();
    own.dedup();
    found.sort();
    assert_eq!(found, own);
    assert!(matches!(agent.shut_down(&client).await, Err(AgentError::Refused(_))));
    assert!(matches!(agent.set_clock(&client, false).await, Err(AgentError::Refused(_))));
    assert!(agent.nics(&client).await.is_ok());
}

proptest! {
    #[test]
    fn no_answer_is_too_odd(line in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,40}") {
        let _ = reply(&line);
        let value = json!([{ "hardware-address": text, "ip-addresses": [{ "ip-address": text }, text] }]);
        let _ = (nics(&value), is_open(&value));
    }
}
