//! What a guest uses. Rates need two measurements: those a second apart, or each with the one before it.

use crate::failure::Failure;
use crate::output::{Output, StatisticsView, usage_block, usage_head, usage_line};
use futures_util::StreamExt;
use hv_api::client::{CallError, Connection, settle};
use hv_api::{Core, Error, GuestStatistics, Usage};
use std::pin::pin;

/// Shows what a guest uses: once, or once a second until it has ended.
pub async fn show(
    core: &mut Connection,
    guest: &str,
    follow: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut messages = pin!(core.statistics(guest).await.map_err(CallError::Broken)?);
    let mut before: Option<GuestStatistics> = None;
    while let Some(message) = messages.next().await {
        let measured = match settle(message) {
            Ok(reply) => reply.statistics,
            // Who follows a guest to its end has seen everything.
            Err(CallError::Refused(Error::WrongState { .. })) if follow && before.is_some() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let usage = before.as_ref().and_then(|before| Usage::between(before, &measured));
        let is_first = before.is_none();
        match usage {
            _ if follow && output.is_json() => {
                output.object(&StatisticsView::new(&measured, usage.as_ref()))?;
            }
            _ if follow && is_first => output.line(&usage_head())?,
            Some(usage) if follow => output.line(&usage_line(&measured, &usage))?,
            Some(usage) if output.is_json() => {
                return output.object(&StatisticsView::new(&measured, Some(&usage)));
            }
            Some(usage) => return output.text(&usage_block(guest, &measured, &usage)),
            None => {}
        }
        output.flush()?;
        before = Some(measured);
    }
    Ok(())
}
