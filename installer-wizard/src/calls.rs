//! The wizard's calls on the core. None is waited for: each answer comes back as [`News`].

use crate::NewGuestWindow;
use crate::flow::{Failure, Found, Input};
use crate::recent::Recent;
use futures_util::StreamExt;
use hv_api::client::{CallError, Connection, settle};
use hv_api::{Core, JobId, JobReply, JobState, MediumKind, NewGuest};
use relm4::ComponentSender;
use std::path::Path;
use std::pin::pin;
use tracing::{debug, warn};
use virt_kit::daemon::Daemon;
use virt_kit::i18n::gettext;
use virt_kit::problem::Problem;

/// What comes back from work that the window does not wait for.
#[derive(Debug)]
pub enum News {
    /// Installers that were found.
    Recent(Vec<Recent>),
    /// Something for the flow.
    Step(Box<Input>),
}

impl From<Input> for News {
    fn from(input: Input) -> Self {
        Self::Step(Box::new(input))
    }
}

/// Asks for the host's facts. Without them the form has wider bounds, and the core decides.
pub fn host(daemon: &Daemon, sender: &ComponentSender<NewGuestWindow>) {
    ask(daemon, sender, "the limits of the host", async |core| {
        Ok(Input::Host(Box::new(settle(core.host().await)?)))
    });
}

/// Asks for the systems that a guest can be for. Without them, only those that a medium may hold are offered.
pub fn systems(daemon: &Daemon, sender: &ComponentSender<NewGuestWindow>) {
    ask(daemon, sender, "the systems", async |core| {
        Ok(Input::Systems(settle(core.systems(None).await)?.systems))
    });
}

/// Asks how the host is set up for its user. Without that, answers to an installer's questions begin empty.
pub fn preferences(daemon: &Daemon, sender: &ComponentSender<NewGuestWindow>) {
    ask(daemon, sender, "the host's own settings", async |core| {
        Ok(Input::Preferences(Box::new(settle(core.get_preferences().await)?.preferences)))
    });
}

/// Asks the core for something that the flow can do without. `what` is named where there is no answer.
fn ask<F>(daemon: &Daemon, sender: &ComponentSender<NewGuestWindow>, what: &'static str, question: F)
where
    F: AsyncFnOnce(&mut Connection) -> Result<Input, CallError> + Send + 'static,
{
    let daemon = daemon.clone();
    sender.command(move |out, shutdown| {
        shutdown
            .register(async move {
                match daemon.call(question).await {
                    Ok(answer) => out.emit(answer.into()),
                    Err(error) => debug!(%error, what, "not known"),
                }
            })
            .drop_on_shutdown()
    });
}

/// Asks for the physical disks of this computer.
pub fn disks(daemon: &Daemon, ticket: u64, sender: &ComponentSender<NewGuestWindow>) {
    let daemon = daemon.clone();
    sender.oneshot_command(async move {
        let found = daemon.call(async |core| Ok(settle(core.disks().await)?.disks)).await;
        Input::Disks { ticket, outcome: found.map_err(Failure::from) }.into()
    });
}

/// Lets the core look at a file.
pub fn look(daemon: &Daemon, ticket: u64, path: &Path, sender: &ComponentSender<NewGuestWindow>) {
    let daemon = daemon.clone();
    let path = path.to_string_lossy().into_owned();
    sender.oneshot_command(async move {
        let found = daemon.call(async move |core| find(core, &path).await).await;
        let outcome = match found {
            Ok(Some(found)) => Ok(Box::new(found)),
            Ok(None) => {
                Err(Failure { refused: None, problem: unexpected(gettext("The file could not be read.")) })
            }
            Err(trouble) => Err(trouble.into()),
        };
        Input::Looked { ticket, outcome }.into()
    });
}

/// What a file is, and what guest it would be where it describes a machine.
async fn find(core: &mut Connection, path: &str) -> Result<Option<Found>, CallError> {
    let paths = [path.to_owned()];
    let Some(medium) = settle(core.inspect(&paths).await)?.media.into_iter().next() else { return Ok(None) };
    let plan = match medium.kind {
        MediumKind::XenConfig | MediumKind::LibvirtXml | MediumKind::Appliance => {
            // Of several machines the first; what is said about it says so.
            Some(settle(core.plan_import(path, None).await)?)
        }
        MediumKind::Iso
        | MediumKind::DiskImage
        | MediumKind::BlockDevice
        | MediumKind::Tree
        | MediumKind::Unknown => None,
    };
    Ok(Some(Found { medium, plan }))
}

/// Lets the core create a guest, and tells what becomes of it.
pub fn create(daemon: &Daemon, attempt: u64, wish: NewGuest, sender: &ComponentSender<NewGuestWindow>) {
    let daemon = daemon.clone();
    sender.command(move |out, shutdown| {
        shutdown
            .register(async move {
                let created = daemon.call(async move |core| settle(core.create(&wish).await)).await;
                let job = created.as_ref().ok().map(|created| created.job);
                out.emit(Input::Accepted { attempt, outcome: created.map_err(Failure::from) }.into());
                if let Some(job) = job {
                    follow(&daemon, attempt, job, &out).await;
                }
            })
            .drop_on_shutdown()
    });
}

/// Tells a job's progress until it ends.
async fn follow(daemon: &Daemon, attempt: u64, id: JobId, out: &relm4::Sender<News>) {
    let tell = out.clone();
    let followed = daemon
        .call(async move |core| {
            let replies = core.follow(id).await.map_err(CallError::Broken)?;
            let mut replies = pin!(replies);
            while let Some(reply) = replies.next().await {
                let JobReply { job } = settle(reply)?;
                let ended = match job.state {
                    JobState::Done | JobState::Cancelled => true,
                    JobState::Running | JobState::Failed => false,
                };
                tell.emit(Input::Job { attempt, job }.into());
                if ended {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await;
    let failure = match followed {
        Ok(true) => return,
        Ok(false) => Failure {
            refused: None,
            problem: unexpected(gettext("It is not known whether the guest was created.")),
        },
        Err(trouble) => trouble.into(),
    };
    out.emit(Input::JobFailed { attempt, failure }.into());
}

/// Lets the core cancel a job. What becomes of it is told to whoever follows it.
pub fn cancel(daemon: &Daemon, job: JobId, sender: &ComponentSender<NewGuestWindow>) {
    let daemon = daemon.clone();
    sender.command(move |_out, shutdown| {
        shutdown
            .register(async move {
                if let Err(error) = daemon.call(async move |core| settle(core.cancel(job).await)).await {
                    warn!(%job, %error, "the job could not be cancelled, waiting for its end");
                }
            })
            .drop_on_shutdown()
    });
}

/// The core answered, but not what the interface promises.
fn unexpected(what: String) -> Problem {
    Problem {
        code: "unexpected-answer",
        what,
        why: gettext("The hypervisor core gave an answer that this window does not understand."),
        remedy: gettext("Look at the list of guests, then try again. Restart the core if it happens again."),
        action: None,
        detail: None,
    }
}
