//! QMP, the language in which QEMU is spoken to: one connection, calls and their answers, events.
//!
//! Owns the connection to one QEMU. Promises that every call ends within its deadline, that no reply
//! and no event, however odd, does more harm than to end this connection, and that what a reply may
//! take in memory is bounded. Calls may be dropped at any point. What an event means is left to
//! `events`, and who is at the other end to `process`.

use crate::engine::EngineError;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tracing::{debug, warn};

/// How long an ordinary call may take. QEMU answers within milliseconds; a host that swaps does not.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// How long QEMU may take for what has to go through all of a volume's tables. It hears nothing else meanwhile.
pub const LONG_DEADLINE: Duration = Duration::from_secs(600);

/// The longest message that is read. QEMU's longest, its schema, has some 200 kB.
const MESSAGE_LIMIT: usize = 4 << 20;

/// How many events may wait to be looked at. More are dropped, which [`Client::take_lost`] tells.
const EVENT_QUEUE: usize = 1024;

/// Something that happened in QEMU.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, as `SHUTDOWN`.
    pub name: String,
    /// What goes with it; `null` for most.
    pub data: Value,
}

/// A connection to one QEMU. It closes when this is dropped.
#[derive(Debug)]
pub struct Client {
    outgoing: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Shared {
    calls: Mutex<Calls>,
    lost_events: AtomicBool,
}

#[derive(Debug, Default)]
struct Calls {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<Value, EngineError>>>,
    /// Set once the connection has ended, and why.
    ended: Option<EngineError>,
}

/// Everything that QEMU sends, each with what we read of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "QMP")]
    greeting: Option<Value>,
    event: Option<String>,
    data: Value,
    id: Option<u64>,
    #[serde(rename = "return")]
    reply: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    desc: String,
}

impl Client {
    /// Greets the QEMU at the other end of `stream`, and makes it ready to take commands, all within
    /// `deadline`. A QEMU that has another client says nothing until that has gone.
    ///
    /// # Errors
    /// `Silent` past the deadline, `Gone` where the connection ends, `Refused` where it isn't QMP.
    pub async fn connect(
        stream: UnixStream,
        deadline: Duration,
    ) -> Result<(Self, mpsc::Receiver<Event>), EngineError> {
        tokio::time::timeout(deadline, Self::negotiate(stream, deadline))
            .await
            .unwrap_or_else(|_elapsed| Err(silent(deadline)))
    }

    async fn negotiate(
        stream: UnixStream,
        deadline: Duration,
    ) -> Result<(Self, mpsc::Receiver<Event>), EngineError> {
        let mut lines = Lines::new(Arc::new(stream));
        let Some(first) = lines.next().await? else { return Err(EngineError::Gone) };
        if read_message(&first)?.greeting.is_none() {
            return Err(not_qmp(&first));
        }
        let shared = Arc::new(Shared { calls: Mutex::default(), lost_events: AtomicBool::new(false) });
        let (outgoing, to_write) = mpsc::channel(16);
        let (event_sender, events) = mpsc::channel(EVENT_QUEUE);
        tokio::spawn(write_all(Arc::clone(&lines.stream), to_write));
        let reader = tokio::spawn(read_all(lines, Arc::clone(&shared), event_sender)).abort_handle();
        let client = Self { outgoing, shared, reader };
        client.call_within("qmp_capabilities", json!({}), Vec::new(), deadline).await?;
        Ok((client, events))
    }

    /// Gives a command and returns its answer.
    ///
    /// # Errors
    /// `Refused` with QEMU's words, `Silent` past [`CALL_DEADLINE`], `Gone`.
    pub async fn call(&self, command: &str, arguments: Value) -> Result<Value, EngineError> {
        self.call_within(command, arguments, Vec::new(), CALL_DEADLINE).await
    }

    /// As [`Self::call`], with descriptors that go along and a deadline of its own.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_within(
        &self,
        command: &str,
        arguments: Value,
        descriptors: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<Value, EngineError> {
        let (id, reply) = self.shared.expect_reply()?;
        let _forget = Forget { shared: &self.shared, id };
        debug!(command, id, "to the engine");
        let mut bytes =
            json!({ "execute": command, "arguments": arguments, "id": id }).to_string().into_bytes();
        bytes.push(b'\n');
        let answered = async {
            // Where the writer has ended, so has the connection: the reader knows why.
            let _ended = self.outgoing.send(Outgoing { bytes, descriptors }).await;
            reply.await.unwrap_or(Err(EngineError::Gone))
        };
        tokio::time::timeout(deadline, answered).await.unwrap_or_else(|_elapsed| Err(silent(deadline)))
    }

    /// Gives QEMU's D-Bus display one end of a socket pair, on which it then acts as a server.
    ///
    /// QEMU serves one such connection only: a second one breaks the first.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn add_display_client(&self, socket: OwnedFd) -> Result<(), EngineError> {
        const NAME: &str = "display";
        self.call_within("getfd", json!({ "fdname": NAME }), vec![socket], CALL_DEADLINE).await?;
        let added = self.call("add_client", json!({ "protocol": "@dbus-display", "fdname": NAME })).await;
        if let Err(error) = added {
            // It still has the descriptor under that name, unless it is the connection that failed.
            let _refused = self.call("closefd", json!({ "fdname": NAME })).await;
            return Err(error);
        }
        Ok(())
    }

    /// Whether events were dropped since this was asked last, because they came faster than they were
    /// looked at.
    pub fn take_lost(&self) -> bool {
        self.shared.lost_events.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_reply(&self) -> Result<(u64, oneshot::Receiver<Result<Value, EngineError>>), EngineError> {
        let mut calls = self.calls();
        if let Some(why) = &calls.ended {
            return Err(why.clone());
        }
        calls.last_id += 1;
        let id = calls.last_id;
        let (sender, receiver) = oneshot::channel();
        calls.waiting.insert(id, sender);
        Ok((id, receiver))
    }

    fn end(&self, why: &EngineError) {
        let mut calls = self.calls();
        calls.ended = Some(why.clone());
        for (_id, caller) in calls.waiting.drain() {
            let _gone = caller.send(Err(why.clone()));
        }
    }
}

/// Takes a call's place in the table away, however the call ends.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.calls().waiting.remove(&self.id);
    }
}

async fn read_all(mut lines: Lines, shared: Arc<Shared>, events: mpsc::Sender<Event>) {
    let why = loop {
        let message = match lines.next().await {
            Ok(Some(line)) => read_message(&line),
            Ok(None) => break EngineError::Gone,
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => deliver(message, &shared, &events),
            Err(error) => {
                warn!(%error, "the connection to the engine is given up");
                break error;
            }
        }
    };
    shared.end(&why);
}

fn deliver(message: Message, shared: &Shared, events: &mpsc::Sender<Event>) {
    if let Some(name) = message.event {
        debug!(event = name, data = %message.data, "from the engine");
        let event = Event { name, data: message.data };
        if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event)
            && !shared.lost_events.swap(true, Ordering::AcqRel)
        {
            warn!(event = event.name, "events come too fast, dropping some");
        }
        return;
    }
    let result = match (message.error, message.reply) {
        (Some(refusal), _) => Err(EngineError::Refused { detail: refusal.desc }),
        (None, reply) => Ok(reply.unwrap_or_default()),
    };
    let caller = message.id.and_then(|id| shared.calls().waiting.remove(&id));
    if let Some(caller) = caller {
        let _gave_up = caller.send(result);
    } else {
        // Most likely the answer to a call that nobody waits for any more.
        debug!(id = message.id, "an answer without a question");
    }
}

async fn write_all(stream: Arc<UnixStream>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(Outgoing { bytes, descriptors }) = outgoing.recv().await {
        if let Err(error) = write_one(&stream, &bytes, &descriptors).await {
            debug!(%error, "the engine takes nothing any more");
            return;
        }
    }
}

async fn write_one(stream: &UnixStream, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut unsent = bytes;
    // Descriptors go with the first byte, and only once.
    let mut accompany = borrowed.as_slice();
    while !unsent.is_empty() {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !accompany.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(accompany)) {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
                }
                Ok(sendmsg(stream, &[IoSlice::new(unsent)], &mut ancillary, SendFlags::NOSIGNAL)?)
            })
            .await?;
        accompany = &[];
        unsent = unsent.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// What comes in, cut at line ends.
struct Lines {
    stream: Arc<UnixStream>,
    unread: Vec<u8>,
    /// How much of `unread` is known to have no line end.
    searched: usize,
}

impl Lines {
    fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream, unread: Vec::new(), searched: 0 }
    }

    /// The next line that isn't empty; nothing at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        loop {
            if let Some(line) = self.take_line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            if self.unread.len() > MESSAGE_LIMIT {
                return Err(EngineError::Refused {
                    detail: format!("it sent a message of more than {MESSAGE_LIMIT} bytes"),
                });
            }
            self.unread.reserve(16 << 10);
            let (stream, unread) = (&self.stream, &mut self.unread);
            match stream.async_io(Interest::READABLE, || stream.try_read_buf(unread)).await {
                // What stands behind the last line end was cut off by QEMU's own end.
                Ok(0) => return Ok(None),
                Ok(_read) => {}
                Err(error) => {
                    debug!(%error, "the connection to the engine broke");
                    return Ok(None);
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let fresh = self.unread.get(self.searched..)?;
        let Some(end) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(self.searched + end + 1);
        self.searched = 0;
        Some(std::mem::replace(&mut self.unread, rest))
    }
}

fn read_message(line: &[u8]) -> Result<Message, EngineError> {
    serde_json::from_slice(line).map_err(|error| {
        debug!(%error, "not a QMP message");
        not_qmp(line)
    })
}

fn not_qmp(line: &[u8]) -> EngineError {
    let start = String::from_utf8_lossy(line.get(..line.len().min(80)).unwrap_or_default()).into_owned();
    EngineError::Refused { detail: format!("it does not speak QMP, but says {:?}", start.trim_end()) }
}

fn silent(deadline: Duration) -> EngineError {
    EngineError::Silent { seconds: u32::try_from(deadline.as_secs()).unwrap_or(u32::MAX) }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    const GREETING: &[u8] = b"{\"QMP\": {\"version\": {}, \"capabilities\": [\"new\"]}}\r\n";
    const SHORT: Duration = Duration::from_millis(50);

    /// What is at the other end, in place of QEMU.
    pub(crate) struct Peer(BufReader<UnixStream>);

    impl Peer {
        /// Says this.
        pub(crate) async fn say(&mut self, words: &[u8]) {
            self.0.get_mut().write_all(words).await.unwrap();
        }

        /// The next command.
        pub(crate) async fn heard(&mut self) -> Value {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).unwrap()
        }

        /// Answers the command with this number.
        pub(crate) async fn answer(&mut self, id: &Value, result: &str) {
            self.say(format!("{{\"return\": {result}, \"id\": {id}}}\r\n").as_bytes()).await;
        }
    }

    /// A connection, with both of its ends.
    pub(crate) async fn connected() -> (Client, mpsc::Receiver<Event>, Peer) {
        let (near, far) = UnixStream::pair().unwrap();
        let mut peer = Peer(BufReader::new(far));
        let serve = async {
            peer.say(GREETING).await;
            let command = peer.heard().await;
            assert_eq!(command["execute"], "qmp_capabilities");
            peer.answer(&command["id"], "{}").await;
        };
        let (client, ()) = tokio::join!(Client::connect(near, CALL_DEADLINE), serve);
        let (client, events) = client.unwrap();
        (client, events, peer)
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_harms_no_other() {
        let (client, _events, mut peer) = connected().await;
        let slow = client.call_within("slow", json!({}), Vec::new(), SHORT).await;
        assert_eq!(slow, Err(EngineError::Silent { seconds: 0 }));
        assert!(client.shared.calls().waiting.is_empty());
        let slow = peer.heard().await;
        let serve = async {
            let quick = peer.heard().await;
            peer.answer(&slow["id"], "\"slow\"").await;
            peer.answer(&quick["id"], "\"quick\"").await;
        };
        let (quick, ()) = tokio::join!(client.call("quick", json!({})), serve);
        assert_eq!(quick, Ok(json!("quick")));
    }

    #[tokio::test]
    async fn events_of_any_kind_are_passed_on() {
        let (_client, mut events, mut peer) = connected().await;
        peer.say(
            b"{\"timestamp\": 7, \"event\": \"NEW_IN_QEMU_99\", \"data\": [1]}\n{\"event\": \"STOP\"}\n",
        )
        .await;
        assert_eq!(events.recv().await, Some(Event { name: "NEW_IN_QEMU_99".into(), data: json!([1]) }));
        assert_eq!(events.recv().await, Some(Event { name: "STOP".into(), data: Value::Null }));
        drop(peer);
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test]
    async fn events_that_nobody_takes_hold_up_no_answer() {
        let (client, mut events, mut peer) = connected().await;
        let serve = async {
            let command = peer.heard().await;
            for _ in 0..2 * EVENT_QUEUE {
                peer.say(b"{\"event\": \"RESET\"}\n").await;
            }
            peer.answer(&command["id"], "1").await;
        };
        let (answer, ()) = tokio::join!(client.call("query-status", json!({})), serve);
        assert_eq!(answer, Ok(json!(1)));
        assert!(client.take_lost() && !client.take_lost());
        let mut kept = 0;
        while events.try_recv().is_ok() {
            kept += 1;
        }
        assert_eq!(kept, EVENT_QUEUE);
    }

    #[tokio::test]
    async fn refusals_are_told_in_the_engines_words() {
        let (client, _events, mut peer) = connected().await;
        let serve = async {
            let command = peer.heard().await;
            let id = &command["id"];
            let refusal = format!("{{\"error\": {{\"class\": \"New\", \"desc\": \"no\"}}, \"id\": {id}}}\n");
            peer.say(refusal.as_bytes()).await;
        };
        let (answer, ()) = tokio::join!(client.call("eject", json!({})), serve);
        assert_eq!(answer, Err(EngineError::Refused { detail: "no".into() }));
    }

    #[tokio::test]
    async fn calls_end_when_the_connection_does() {
        let (client, _events, mut peer) = connected().await;
        let serve = async {
            peer.heard().await;
            peer.say(b"{\"return\": {\"cut").await;
            drop(peer);
        };
        let (answer, ()) = tokio::join!(client.call("quit", json!({})), serve);
        assert_eq!(answer, Err(EngineError::Gone));
        assert_eq!(client.call("quit", json!({})).await, Err(EngineError::Gone));
    }

    #[tokio::test]
    async fn a_second_client_is_not_kept_waiting_for_ever() {
        let (near, _far) = UnixStream::pair().unwrap();
        let silent = Client::connect(near, SHORT).await.err();
        assert_eq!(silent, Some(EngineError::Silent { seconds: 0 }));
    }

    #[tokio::test]
    async fn a_client_that_is_dropped_hangs_up() {
        let (client, mut events, mut peer) = connected().await;
        drop(client);
        assert_eq!(events.recv().await, None);
        let mut line = String::new();
        assert_eq!(peer.0.read_line(&mut line).await.unwrap(), 0);
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_does_harm(speech in prop::collection::vec(any::<u8>(), 0..400), json in ".{0,80}") {
            let speeches = [
                speech,
                json.clone().into_bytes(),
                json!({ "event": json, "data": json, "id": json }).to_string().into_bytes(),
                json!({ "return": json, "id": 2, "error": null }).to_string().into_bytes(),
            ];
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for speech in speeches {
                    let (client, _events, mut peer) = connected().await;
                    let talk = async {
                        peer.say(&speech).await;
                        peer.say(b"\n").await;
                        drop(peer);
                    };
                    // Answered, refused or gone, but always in time.
                    let call = client.call_within("query-status", json!({}), Vec::new(), CALL_DEADLINE);
                    let (answer, ()) = tokio::join!(call, talk);
                    assert!(!matches!(answer, Err(EngineError::Silent { .. })));
                }
            });
        }
    }
}
