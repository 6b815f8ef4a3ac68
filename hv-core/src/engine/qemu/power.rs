//! What QEMU knows of the guest's power button.

use super::qmp::Client;
use crate::engine::EngineError;
use serde_json::{Value, json};

/// The port of the ACPI register that says which of the fixed events the guest's system wants to hear of.
/// Firmware has it 2 bytes above the base of power management, which is 0x600 on this chipset.
const FIXED_EVENTS: &str = "i/h 0x602";

/// The register's bit for the power button.
const POWER_BUTTON: u16 = 1 << 8;

/// Whether a system in the guest listens to the power button. Reading the register changes nothing.
pub async fn hears_button(client: &Client) -> Result<bool, EngineError> {
    let answer = client.call("human-monitor-command", json!({ "command-line": FIXED_EVENTS })).await?;
    let wanted = answer.as_str().and_then(register);
    wanted
        .map(|events| events & POWER_BUTTON != 0)
        .ok_or_else(|| EngineError::Refused { detail: format!("it answers with {}", shortened(&answer)) })
}

/// `portw[0x0602] = 0x0120` → 0x120.
fn register(answer: &str) -> Option<u16> {
    let value = answer.trim().rsplit_once("= 0x")?.1;
    u16::from_str_radix(value, 16).ok()
}

fn shortened(answer: &Value) -> String {
    answer.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_register_is_read_as_qemu_writes_it() {
        assert_eq!(register("portw[0x0602] = 0x0120\r\n"), Some(0x120));
        assert_eq!(register("portb[0x0602] = 0x20\r\n"), Some(0x20));
        for odd in ["", "unknown command: 'i/h'\r\n", "= 0x", "= 0x12345", "portw[0x0602] = 0xzz"] {
            assert_eq!(register(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(answer in ".*") {
            let _any = register(&answer);
            let _any = shortened(&json!(answer));
        }
    }
}
