//! Long work of the core: followed until it has ended, with its progress, and cancelled by a signal.

use crate::failure::{Failure, english};
use crate::interrupt::Interrupt;
use crate::output::{Output, ProgressView};
use futures_util::{Stream, StreamExt};
use hv_api::client::{CallError, Connection, connect, settle};
use hv_api::problem::stage_word;
use hv_api::{Core, Error, JobId, JobInfo, JobReply};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

/// How long a cancelled job may take until everything is as it was.
const CANCEL_DEADLINE: Duration = Duration::from_secs(60);

/// What a message about a job is.
type Message = zlink::Result<Result<JobReply, Error>>;

/// Does the work whether a signal comes or not, and says which; a second signal ends it.
pub async fn despite_one_interruption<T>(
    work: impl Future<Output = Result<T, Failure>>,
    interrupt: &mut Interrupt,
) -> Result<(T, bool), Failure> {
    let mut work = pin!(work);
    tokio::select! {
        result = &mut work => return Ok((result?, false)),
        () = interrupt.next() => {}
    }
    Ok((interrupt.guard(work).await?, true))
}

/// Begins a job and follows it to its end. A signal cancels it.
pub async fn run(
    core: &mut Connection,
    socket: &Path,
    begin: impl AsyncFnOnce(&mut Connection) -> Result<JobId, CallError>,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let call = async { Ok::<_, Failure>(begin(core).await?) };
    let (job, interrupted) = despite_one_interruption(call, interrupt).await?;
    follow(core, socket, job, interrupted, output, interrupt).await
}

/// Follows a job to its end. A signal cancels it, as does one that has come already.
pub async fn follow(
    core: &mut Connection,
    socket: &Path,
    job: JobId,
    interrupted: bool,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let stream = core.follow(job).await.map_err(CallError::Broken)?;
    follow_stream(pin!(stream), job, interrupted, socket, output, interrupt).await
}

async fn follow_stream(
    mut stream: impl Stream<Item = Message> + Unpin,
    job: JobId,
    interrupted: bool,
    socket: &Path,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let bar = Bar::new(output);
    if !interrupted {
        let watched = async {
            while let Some(message) = stream.next().await {
                let job = settle(message)?.job;
                bar.show(&job, output)?;
            }
            Ok::<(), Failure>(())
        };
        match interrupt.guard(watched).await {
            Err(Failure::Interrupted) => {}
            // Who no longer reads wants it done all the same.
            Err(Failure::ReaderGone) => {
                while let Some(message) = stream.next().await {
                    settle(message)?;
                }
                return Err(Failure::ReaderGone);
            }
            ended => return ended,
        }
    }
    bar.clear();
    let ended = async {
        cancel(socket, job).await;
        // The job ends when everything is as it was before.
        while let Some(Ok(Ok(_))) = stream.next().await {}
    };
    // Where the core does not answer in time, all that is left is to say that it was interrupted.
    let _in_time = tokio::time::timeout(CANCEL_DEADLINE, ended).await;
    Err(Failure::Interrupted)
}

/// Asks for a job's end, on a connection of its own: the first one still follows it. That it can't be
/// cancelled any more shows in the job itself.
async fn cancel(socket: &Path, job: JobId) {
    if let Ok(mut core) = connect(socket).await {
        let _answer = core.cancel(job).await;
    }
}

/// Progress: lines for programs, a bar for people at a terminal.
struct Bar(ProgressBar);

impl Bar {
    /// The bar's own unit: a thousandth.
    const LENGTH: u64 = 1000;

    fn new(output: &Output) -> Self {
        let bar = if output.is_json() { ProgressBar::hidden() } else { ProgressBar::new(Self::LENGTH) };
        if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {percent:>3} %") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, job: &JobInfo, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            output.object(&ProgressView::from(job))?;
            return output.flush();
        }
        self.0.set_message(stage_word(job.stage, &english));
        self.0.set_position((job.progress.clamp(0.0, 1.0) * Self::LENGTH as f64) as u64);
        Ok(())
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
