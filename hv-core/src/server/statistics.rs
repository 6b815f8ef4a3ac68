//! A guest's statistics as messages.

use super::Messages;
use crate::guest::handle::Handle;
use crate::guest::statistics::Measured;
use futures_util::stream;
use hv_api::{Error, StatisticsReply};
use zlink::Reply;

/// A guest's statistics as they are; with `more`, each measurement until its machine is gone, which is
/// told as an error.
pub fn messages(guest: Result<Handle, Error>, more: bool) -> Messages<StatisticsReply> {
    match guest {
        Err(error) => Box::pin(stream::iter([Err(error)])),
        Ok(handle) if more => match handle.listen() {
            Ok(measured) => Box::pin(follow(handle, measured)),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        },
        Ok(handle) => Box::pin(stream::once(async move {
            let statistics = handle.measure().await?;
            Ok(Reply::new(Some(StatisticsReply { statistics })).set_continues(Some(false)))
        })),
    }
}

fn follow(
    handle: Handle,
    measured: Measured,
) -> impl stream::Stream<Item = Result<Reply<StatisticsReply>, Error>> {
    stream::unfold(Some((handle, measured)), |state| async move {
        let (handle, mut measured) = state?;
        if measured.changed().await.is_err() {
            return Some((Err(handle.not_running()), None));
        }
        let statistics = measured.borrow_and_update().as_ref().map(|latest| (**latest).clone());
        let statistics = statistics.unwrap_or_default();
        let message = Reply::new(Some(StatisticsReply { statistics })).set_continues(Some(true));
        Some((Ok(message), Some((handle, measured))))
    })
}
