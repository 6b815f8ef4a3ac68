//! The guest's agent, a program in the guest that answers questions about it (QEMU's `qemu-ga`).
//!
//! What it says comes from the guest and is not to be believed: answers are bounded, waited for briefly,
//! and only what has the expected form is passed on. Nothing is asked where no agent holds the port open,
//! so that no question lies there until one begins to run; and one that does not answer is left alone for
//! a while. The connection stays open all the time, because an agent without one wakes its guest ten
//! times a second.

use super::qmp::Client;
use hv_api::{MacAddress, NicStatistics};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Mutex as Lock;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};
use tracing::debug;

/// The agent's port, as QEMU names it.
pub const PORT: &str = "agent0";

/// How long an agent may take to answer a question.
const DEADLINE: Duration = Duration::from_millis(800);

/// How long one that did not answer is left alone.
const REST: Duration = Duration::from_secs(10);

/// How long an agent that was told to shut down may take to refuse. It says nothing where it does it.
const REFUSAL: Duration = Duration::from_millis(300);

/// How long an agent that was told to shut down is believed to be at it. Whoever asks again within that time
/// is better served by the power button.
const BELIEVED: Duration = Duration::from_secs(10 * 60);

/// How long one may take to set the clock: nobody waits for it, and a guest that has just begun to run again
/// has much to do.
const CLOCK_DEADLINE: Duration = Duration::from_secs(5);

/// How often and how long it is looked for an agent after the machine was restored: QEMU learns only from the
/// guest, when that runs, that one is there.
const LOOK: Duration = Duration::from_millis(250);
const LOOKED_FOR: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 256 << 10;

/// How many network cards and how many addresses of one are taken from an answer.
const MOST_NICS: usize = 64;
const MOST_ADDRESSES: usize = 32;

/// Why the agent gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// None runs, or it did not answer just before.
    #[error("no agent answers")]
    Absent,
    /// It did not answer in time.
    #[error("the agent did not answer in time")]
    Silent,
    /// It said something else than an answer.
    #[error("the agent says {0}")]
    Odd(String),
    /// It refused.
    #[error("the agent refuses: {0}")]
    Refused(String),
}

/// The connection to the agent of one guest.
#[derive(Debug)]
pub struct Agent {
    /// One question at a time.
    channel: Mutex<Channel>,
    /// When one did not answer, and how it is told from other moments.
    silent: Lock<Option<Instant>>,
    /// When it was told to shut down.
    told: Lock<Option<Instant>>,
    asked: AtomicU64,
}

#[derive(Debug)]
struct Channel {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Agent {
    /// Over this connection.
    pub fn new(stream: UnixStream) -> Self {
        let channel = Mutex::new(Channel { stream, unread: Vec::new() });
        Self { channel, silent: Lock::default(), told: Lock::default(), asked: AtomicU64::new(0) }
    }

    /// Whether an agent runs and answers.
    pub async fn answers(&self, client: &Client) -> bool {
        self.reach(client, DEADLINE).await.is_ok()
    }

    /// Whether a program in the guest holds the port open, and was not silent just before.
    async fn is_there(&self, client: &Client) -> bool {
        if is_recent(&self.silent, REST) {
            return false;
        }
        let answer = client.call_within("query-chardev", json!({}), Vec::new(), DEADLINE).await;
        answer.is_ok_and(|answer| is_open(&answer))
    }

    /// The guest's network cards: what they have received and sent, and their addresses.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn nics(&self, client: &Client) -> Result<Vec<NicStatistics>, AgentError> {
        let mut channel = self.reach(client, DEADLINE).await?;
        let answer = channel.ask("guest-network-get-interfaces", json!({}), DEADLINE).await?;
        nics(&answer).ok_or_else(|| odd(&answer.to_string()))
    }

    /// Asks the guest to shut down.
    ///
    /// # Errors
    /// Why it won't: also where it was told so not long ago, and has not done it.
    pub async fn shut_down(&self, client: &Client) -> Result<(), AgentError> {
        if is_recent(&self.told, BELIEVED) {
            return Err(AgentError::Refused("it was told so already".into()));
        }
        let mut channel = self.reach(client, DEADLINE).await?;
        match channel.ask("guest-shutdown", json!({ "mode": "powerdown" }), REFUSAL).await {
            // It said who it is a moment before, and does it now.
            Ok(_) | Err(AgentError::Silent) => {
                note(&self.told, true);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Sets the guest's clock to the host's. Where the machine was `restored`, QEMU may not know yet that an
    /// agent runs, which is waited for.
    ///
    /// # Errors
    /// Why it is not set.
    pub async fn set_clock(&self, client: &Client, restored: bool) -> Result<(), AgentError> {
        // It could not answer while the CPUs stood.
        note(&self.silent, false);
        let begun = Instant::now();
        let mut channel = loop {
            match self.reach(client, CLOCK_DEADLINE).await {
                Err(AgentError::Absent) if restored && begun.elapsed() < LOOKED_FOR => sleep(LOOK).await,
                reached => break reached?,
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        channel.ask("guest-set-time", json!({ "time": now }), CLOCK_DEADLINE).await.map(drop)
    }

    /// The connection, where at its other end somebody listens and has nothing else to say.
    async fn reach(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<MutexGuard<'_, Channel>, AgentError> {
        let Ok(mut channel) = timeout(DEADLINE, self.channel.lock()).await else {
            return Err(AgentError::Silent);
        };
        if !self.is_there(client).await {
            return Err(AgentError::Absent);
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let synchronized = timeout(patience, channel.synchronize(number)).await;
        let synchronized = synchronized.unwrap_or(Err(AgentError::Silent));
        note(&self.silent, synchronized.is_err());
        synchronized.map(|()| channel)
    }
}

fn is_recent(moment: &Lock<Option<Instant>>, time: Duration) -> bool {
    moment.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() < time)
}

fn note(moment: &Lock<Option<Instant>>, happened: bool) {
    *moment.lock().unwrap_or_else(PoisonError::into_inner) = happened.then(Instant::now);
}

impl Channel {
    /// Leaves behind whatever was said before, and makes sure that somebody listens now.
    async fn synchronize(&mut self, number: u64) -> Result<(), AgentError> {
        // The byte that no text has in it makes the agent forget half a question, and stands before its
        // answer.
        let question = json!({ "execute": "guest-sync-delimited", "arguments": { "id": number } });
        self.write(&[&[0xff], question.to_string().as_bytes(), b"\n"].concat()).await?;
        let mut passed = 0;
        loop {
            let before = self.read_until(0xff).await?;
            passed += before.len();
            if passed > ANSWER_LIMIT {
                return Err(odd("more than anybody asked for"));
            }
            let answer = self.read_until(b'\n').await?;
            // Else it is that to a question which nobody waits for any more.
            if reply(&answer).is_ok_and(|answer| answer.as_u64() == Some(number)) {
                return Ok(());
            }
        }
    }

    async fn ask(
        &mut self,
        command: &str,
        arguments: Value,
        patience: Duration,
    ) -> Result<Value, AgentError> {
        let question = json!({ "execute": command, "arguments": arguments });
        let call = async {
            self.write(format!("{question}\n").as_bytes()).await?;
            let answer = self.read_until(b'\n').await?;
            reply(&answer)
        };
        timeout(patience, call).await.unwrap_or(Err(AgentError::Silent))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        self.stream.write_all(bytes).await.map_err(|error| odd(&error.to_string()))
    }

    /// What comes before this byte, which is taken as well.
    async fn read_until(&mut self, end: u8) -> Result<Vec<u8>, AgentError> {
        let mut searched = 0;
        loop {
            let fresh = self.unread.get(searched..).unwrap_or_default();
            if let Some(found) = fresh.iter().position(|byte| *byte == end) {
                let rest = self.unread.split_off(searched + found + 1);
                let mut taken = std::mem::replace(&mut self.unread, rest);
                taken.pop();
                return Ok(taken);
            }
            searched = self.unread.len();
            if searched > ANSWER_LIMIT {
                self.unread.clear();
                return Err(odd("more than an answer has"));
            }
            self.unread.reserve(4096);
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) => return Err(AgentError::Absent),
                Ok(_read) => {}
                Err(error) => return Err(odd(&error.to_string())),
            }
        }
    }
}

/// What stands in an answer.
fn reply(line: &[u8]) -> Result<Value, AgentError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "return")]
        value: Option<Value>,
        error: Option<Value>,
    }
    let said = || odd(&String::from_utf8_lossy(line));
    let answer: Answer = serde_json::from_slice(line).map_err(|_unreadable| said())?;
    match (answer.value, answer.error) {
        (_, Some(error)) => {
            let words = error.get("desc").and_then(Value::as_str).unwrap_or("without a reason");
            Err(AgentError::Refused(shortened(words)))
        }
        (Some(value), None) => Ok(value),
        (None, None) => Err(said()),
    }
}

fn odd(said: &str) -> AgentError {
    debug!(said = shortened(said), "the agent says something else than an answer");
    AgentError::Odd(shortened(said))
}

fn shortened(words: &str) -> String {
    words.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether an agent holds the port open, in an answer to `query-chardev`.
fn is_open(answer: &Value) -> bool {
    let ports = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    ports.iter().any(|port| {
        port.get("label").and_then(Value::as_str) == Some(PORT)
            && port.get("frontend-open") == Some(&Value::Bool(true))
    })
}

/// The network cards in an answer to `guest-network-get-interfaces`: those with an address on the wire. What
/// shares that address, as a bridge in the guest and the card that is in it, is one card.
fn nics(answer: &Value) -> Option<Vec<NicStatistics>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Interface {
        hardware_address: String,
        #[serde(default)]
        ip_addresses: Vec<Value>,
        statistics: Option<Counters>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Counters {
        rx_bytes: u64,
        tx_bytes: u64,
        rx_packets: u64,
        tx_packets: u64,
    }
    let mut nics: Vec<NicStatistics> = Vec::new();
    for interface in answer.as_array()? {
        let Ok(Interface { hardware_address, ip_addresses, statistics }) = Interface::deserialize(interface)
        else {
            continue;
        };
        let Ok(mac) = hardware_address.parse::<MacAddress>() else { continue };
        let counters = statistics.unwrap_or_default();
        let nic = match nics.iter_mut().position(|nic| nic.mac == mac) {
            Some(known) => nics.get_mut(known)?,
            None if nics.len() == MOST_NICS => continue,
            None => {
                let (received, sent, packets_received, packets_sent) = (0, 0, 0, 0);
                let addresses = Vec::new();
                nics.push(NicStatistics { mac, addresses, received, sent, packets_received, packets_sent });
                nics.last_mut()?
            }
        };
        nic.received = nic.received.max(counters.rx_bytes);
        nic.sent = nic.sent.max(counters.tx_bytes);
        nic.packets_received = nic.packets_received.max(counters.rx_packets);
        nic.packets_sent = nic.packets_sent.max(counters.tx_packets);
        let told = ip_addresses.iter().filter_map(|value| value.get("ip-address")?.as_str()?.parse().ok());
        for address in told.map(|address: IpAddr| address.to_string()) {
            if nic.addresses.len() < MOST_ADDRESSES && !nic.addresses.contains(&address) {
                nic.addresses.push(address);
            }
        }
    }
    Some(nics)
}

#[cfg(test)]
#[path = "agent/tests.rs"]
mod tests;
