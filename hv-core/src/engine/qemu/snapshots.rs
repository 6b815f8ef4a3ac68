//! What the volumes of a running machine hold, kept within them: QEMU's internal snapshots of qcow2.

use super::command_line::VARIABLES_NODE;
use super::qmp::{Client, LONG_DEADLINE};
use crate::engine::{EngineError, Volume};
use serde_json::json;
use tracing::debug;

/// Keeps all of these, or none.
pub async fn keep(client: &Client, name: &str, volumes: &[Volume]) -> Result<(), EngineError> {
    let actions: Vec<_> = volumes
        .iter()
        .map(|volume| {
            let data = json!({ "device": node(*volume), "name": name });
            json!({ "type": "blockdev-snapshot-internal-sync", "data": data })
        })
        .collect();
    if actions.is_empty() {
        return Ok(());
    }
    let arguments = json!({ "actions": actions });
    client.call_within("transaction", arguments, Vec::new(), LONG_DEADLINE).await.map(drop)
}

/// Removes what one of them has kept.
pub async fn forget(client: &Client, name: &str, volume: Volume) -> Result<(), EngineError> {
    let arguments = json!({ "device": node(volume), "name": name });
    let command = "blockdev-snapshot-delete-internal-sync";
    match client.call_within(command, arguments, Vec::new(), LONG_DEADLINE).await {
        // QEMU says no more than that in words.
        Err(EngineError::Refused { detail }) if detail.contains("does not exist") => {
            debug!(detail, "nothing to remove");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

fn node(volume: Volume) -> String {
    match volume {
        Volume::Disk(name) => name.to_string(),
        Volume::VariableStore => VARIABLES_NODE.to_owned(),
    }
}
