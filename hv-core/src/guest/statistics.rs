//! Statistics of one guest, measured once a second while somebody listens, and never otherwise: without
//! listeners there is no task and no timer, and the engine asks the guest nothing.
//!
//! All listeners of a guest share one measurement. It ends with the machine; who wants those of the
//! guest's next start asks again.

use super::handle::{Handle, engine_error};
use crate::engine::Machine;
use crate::serial::MachineWatch;
use hv_api::{Error, GuestInfo, GuestStatistics, Operation};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// How often a guest is measured while somebody listens.
const INTERVAL: Duration = Duration::from_secs(1);

/// What listeners get; nothing before the first measurement.
pub type Measured = watch::Receiver<Option<Arc<GuestStatistics>>>;

/// Where a measurement is told.
type Listeners = watch::Sender<Option<Arc<GuestStatistics>>>;

/// A guest's measurement, where one goes on.
#[derive(Debug, Clone, Default)]
pub struct Meter(Rc<RefCell<Weak<Listeners>>>);

impl Handle {
    /// What the guest has used until now, without asking the guest itself.
    pub async fn measure(&self) -> Result<GuestStatistics, Error> {
        let machine = self.machine().ok_or_else(|| self.not_running())?;
        let measured = machine.statistics().await.map(|measured| of_its_cards(measured, &self.info()));
        measured.map_err(|error| engine_error(&self.info().name, Operation::Statistics, error))
    }

    /// Listens to the guest's statistics. They end with its machine or with whoever listens.
    pub fn listen(&self) -> Result<Measured, Error> {
        if let Some(sender) = self.meter.0.borrow().upgrade() {
            return Ok(sender.subscribe());
        }
        let mut present = self.watch_machine();
        // Whatever comes after this one ends its measurement.
        let machine = present.borrow_and_update().clone().ok_or_else(|| self.not_running())?;
        let (sender, listener) = watch::channel(None);
        let sender = Rc::new(sender);
        *self.meter.0.borrow_mut() = Rc::downgrade(&sender);
        spawn_local(keep(machine, present, self.info.clone(), sender));
        Ok(listener)
    }

    /// Why a guest without a machine has no statistics.
    pub fn not_running(&self) -> Error {
        Error::wrong_state(&self.info(), Operation::Statistics)
    }
}

/// Measures until the machine is gone or nobody listens.
async fn keep(
    machine: Arc<dyn Machine>,
    mut present: MachineWatch,
    info: watch::Receiver<Arc<GuestInfo>>,
    listeners: Rc<Listeners>,
) {
    loop {
        observe(&*machine, true).await;
        tokio::select! {
            _changed = present.changed() => return,
            () = measure(&*machine, &info, &listeners) => {}
        }
        observe(&*machine, false).await;
        // Somebody may have come while that was said.
        if listeners.receiver_count() == 0 {
            return;
        }
    }
}

async fn measure(machine: &dyn Machine, info: &watch::Receiver<Arc<GuestInfo>>, listeners: &Listeners) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = listeners.closed() => return,
            _instant = ticks.tick() => {}
        }
        match machine.statistics().await {
            Ok(measured) => {
                let measured = of_its_cards(measured, &info.borrow());
                listeners.send_replace(Some(Arc::new(measured)));
            }
            // Its end is on its way.
            Err(error) => debug!(%error, "not measured"),
        }
    }
}

/// Without the cards that the guest has made itself, whose traffic passes through those it was given.
fn of_its_cards(mut measured: GuestStatistics, guest: &GuestInfo) -> GuestStatistics {
    if let Some(nics) = &mut measured.nics {
        nics.retain(|nic| guest.nics.iter().any(|own| own.mac == nic.mac));
    }
    measured
}

async fn observe(machine: &dyn Machine, on: bool) {
    if let Err(error) = machine.observe_memory(on).await {
        debug!(%error, on, "the guest is not asked about its memory as it should be");
    }
}
