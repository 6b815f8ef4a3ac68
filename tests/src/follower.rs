//! The event stream, followed: the present as it has been told, and a way to wait for what it shall be.

use crate::within;
use hv_api::client::{Connection, Events};
use hv_api::{GuestInfo, GuestState, Library};
use tokio::sync::watch;

/// Follows the event stream of a core until it is dropped.
#[derive(Debug)]
pub struct Follower {
    present: watch::Receiver<Library>,
}

impl Follower {
    /// Begins; returns when the first message, which tells everything, has been taken in.
    pub async fn begin(mut connection: Connection) -> Self {
        let (sender, mut present) = watch::channel(Library::default());
        // A thread of its own, as a test may be busy with something else.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = follow(&mut connection, &sender) => {}
                    () = sender.closed() => {}
                }
            });
        });
        let first = within("everything", present.wait_for(|library| library.host().is_some())).await;
        drop(first.expect("a stream that begins with everything"));
        Self { present }
    }

    /// The present, as far as it was told.
    pub fn library(&self) -> Library {
        self.present.borrow().clone()
    }

    /// Waits until something holds.
    pub async fn until(&mut self, what: &str, holds: impl FnMut(&Library) -> bool) -> Library {
        let reached = within(what, self.present.wait_for(holds)).await;
        reached.unwrap_or_else(|_ended| panic!("the stream ended while waiting for {what}")).clone()
    }

    /// Waits until a guest is in a state.
    pub async fn state(&mut self, name: &str, state: GuestState) -> GuestInfo {
        let what = format!("{name} {state:?}");
        let reached = self
            .until(&what, |library| library.guests().any(|guest| guest.name == name && guest.state == state));
        let library = reached.await;
        let found = library.guests().find(|guest| guest.name == name);
        found.expect("it was there").clone()
    }
}

async fn follow(connection: &mut Connection, present: &watch::Sender<Library>) {
    let Ok(mut events) = Events::watch(connection).await else { return };
    while let Ok(event) = events.next().await {
        if let Some(change) = event.into_change() {
            present.send_modify(|library| library.apply(change));
        }
    }
}
