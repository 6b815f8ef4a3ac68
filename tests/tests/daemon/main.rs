//! The core as its clients meet it: a real `hv-core` over its socket, with engines that only pretend, so
//! that every fault of an engine, a client or a disk can be had at will. No guest runs here; that is the
//! tier `live`.

/// A core with an engine that only pretends, and a guest named “one” that runs.
macro_rules! running_guest {
    ($new:expr; $home:ident, $engine:ident, $core:ident, $events:ident, $machine:ident) => {
        let $home = hv_tests::Home::without_programs();
        let $engine = std::sync::Arc::<hv_tests::fake_engine::FakeEngine>::default();
        let _thread = hv_tests::fake_engine::FakeCore::start(&$home, &$engine).await;
        let (mut $core, mut $events) = crate::connected(&$home).await;
        let id = crate::make(&mut $core, &$new).await.expect("a guest").id;
        $core.start("one", None).await.unwrap().unwrap();
        $events.state("one", hv_api::GuestState::Running).await;
        let $machine = $engine.machine(id);
    };
}

mod alone;
mod appliances;
mod battery;
mod boot_menu;
mod clients;
mod cloud;
mod command;
mod devices;
mod disks;
mod edits;
mod engine;
mod express;
mod files;
mod firmware;
mod foundations;
mod fuzz;
mod images;
mod imports;
mod input;
mod installing;
mod media;
mod moments;
mod network;
mod pci;
mod physical;
mod power;
mod saving;
mod scopes;
mod session;
mod snapshots;
mod statistics;
mod stream;
mod survival;
mod trees;
mod usb;

use futures_util::StreamExt;
use hv_api::client::{Connection, settle};
use hv_api::{Core, Error, GuestInfo, JobId, JobState, NewGuest};
use hv_tests::{Follower, Home, within};
use std::pin::pin;

/// A guest without a disk, which needs no other program than the engine.
fn bare(name: &str) -> NewGuest {
    NewGuest { name: name.into(), no_disk: Some(true), ..NewGuest::default() }
}

/// Makes a guest and returns it, or what the job failed with.
async fn make(core: &mut Connection, new: &NewGuest) -> Result<GuestInfo, Error> {
    let created = core.create(new).await.expect("a connection")?;
    {
        let mut job = pin!(core.follow(created.job).await.expect("a connection"));
        while let Some(message) = within("the job", job.next()).await {
            let job = message.expect("a connection")?.job;
            assert_ne!(job.state, JobState::Cancelled);
        }
    }
    Ok(core.show(&created.guest.to_string()).await.expect("a connection")?.guest)
}

/// What became of a job.
async fn ended(home: &Home, job: JobId) -> Result<(), Error> {
    let mut follower = home.connect().await;
    let mut messages = pin!(follower.follow(job).await.expect("a connection"));
    let mut ended = Ok(());
    while let Some(message) = within("the job", messages.next()).await {
        ended = message.expect("a connection").map(drop);
    }
    ended
}

/// A core with `fake-qemu`, a connection to it and its events.
async fn connected(home: &Home) -> (Connection, Follower) {
    let follower = Follower::begin(home.connect().await).await;
    (home.connect().await, follower)
}

/// The one guest that is asked for, as it is now.
async fn shown(core: &mut Connection, guest: &str) -> GuestInfo {
    settle(core.show(guest).await).expect("the guest").guest
}
