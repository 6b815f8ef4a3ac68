//! Whether the host runs on battery, as UPower tells it. Where there is no UPower, that is said once, and guests run as
//! on mains. Nothing here wakes up but for UPower's word.

use super::ANSWER_DEADLINE;
use crate::guest::registry::Registry;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::rc::Rc;
use tokio::time::timeout;
use tracing::{info, warn};
use zbus::message::Type;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, MatchRule, MessageStream};

const UPOWER: &str = "org.freedesktop.UPower";
const PATH: &str = "/org/freedesktop/UPower";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const ON_BATTERY: &str = "OnBattery";

/// Tells the guests for as long as the bus is there.
pub async fn follow(registry: Rc<Registry>, bus: Connection) {
    if let Err(error) = listen(&registry, &bus).await {
        warn!(%error, "whether the host runs on battery is not known");
    }
    registry.runs_on_battery(None);
}

async fn listen(registry: &Rc<Registry>, bus: &Connection) -> zbus::Result<()> {
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(UPOWER)?.path(PATH)?;
    let rule = rule.interface(PROPERTIES)?.member("PropertiesChanged")?.arg(0, UPOWER)?;
    let mut changes = MessageStream::for_match_rule(rule.build(), bus, None).await?;
    let rule = MatchRule::builder().msg_type(Type::Signal).sender("org.freedesktop.DBus")?;
    let rule = rule.interface("org.freedesktop.DBus")?.member("NameOwnerChanged")?.arg(0, UPOWER)?;
    let mut owners = MessageStream::for_match_rule(rule.build(), bus, None).await?;
    match ask(bus).await {
        Ok(on_battery) => registry.runs_on_battery(Some(on_battery)),
        Err(error) => info!(%error, "no UPower: guests run on battery as on mains"),
    }
    loop {
        let on_battery = tokio::select! {
            change = changes.next() => {
                let Some(change) = change.transpose()? else { return Ok(()) };
                let Ok(change) = told(&change) else { continue };
                match change {
                    Change::To(on_battery) => Some(on_battery),
                    Change::Unknown => ask(bus).await.ok(),
                    Change::Other => continue,
                }
            }
            owner = owners.next() => {
                let Some(owner) = owner.transpose()? else { return Ok(()) };
                let Ok((_, _, new)) = owner.body().deserialize::<(String, String, String)>() else { continue };
                // One that has just begun tells of no change.
                if new.is_empty() { None } else { ask(bus).await.ok() }
            }
        };
        registry.runs_on_battery(on_battery);
    }
}

/// What UPower says of a change.
enum Change {
    /// It runs on battery, or does not.
    To(bool),
    /// It has to be asked.
    Unknown,
    /// It is of something else.
    Other,
}

fn told(message: &zbus::Message) -> zbus::Result<Change> {
    let body = message.body();
    let (_, changed, unknown) = body.deserialize::<(&str, HashMap<&str, Value<'_>>, Vec<&str>)>()?;
    Ok(match changed.get(ON_BATTERY) {
        Some(Value::Bool(on_battery)) => Change::To(*on_battery),
        _ if unknown.contains(&ON_BATTERY) => Change::Unknown,
        _ => Change::Other,
    })
}

/// Asks UPower, which the bus starts for that where it is installed.
async fn ask(bus: &Connection) -> zbus::Result<bool> {
    let call = bus.call_method(Some(UPOWER), PATH, Some(PROPERTIES), "Get", &(UPOWER, ON_BATTERY));
    let silent =
        |_elapsed| zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::TimedOut.into()));
    let answer = timeout(ANSWER_DEADLINE, call).await.map_err(silent)??;
    Ok(bool::try_from(answer.body().deserialize::<OwnedValue>()?)?)
}
