//! The process that reads a guest's disk: it is given the disk's descriptors and a question, gives up all else, and
//! only then looks at the disk.
//!
//! What it can do then: read and write what it holds, use memory up to a limit, and end. It opens no file, neither by
//! the limits that it has nor by Landlock nor by seccomp, makes no socket and starts no process. Where the kernel has no
//! Landlock, the others keep it; what of them is in force it says with its answer.

use super::bytes::Disk;
use super::default::{change, undone};
use super::find::{LARGEST_INITRD, LARGEST_KERNEL, copy, menu};
use super::installed::installed;
use super::{Answer, Question, Task, image};
use crate::engine::DiskFormat;
use hv_api::{BootDefaultFault, KernelFault};
use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetStatus};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{SeccompAction, SeccompFilter};
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The longest question, in bytes.
pub(super) const LONGEST_QUESTION: usize = 16 << 10;

/// The most memory, in bytes: file systems are read block by block.
const MEMORY: u64 = 1 << 30;

/// How long it may take to read what is to be read.
const TIME: Duration = Duration::from_secs(40);

/// What this process says: how far it is kept, and the answer.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Said {
    /// Whether Landlock keeps it.
    pub landlock: bool,
    /// Whether seccomp does.
    pub seccomp: bool,
    /// The answer.
    pub answer: Answer,
}

/// Answers the question that comes over the standard input, which is a socket.
///
/// # Errors
/// Where there is no question, or nobody to answer.
pub fn run() -> io::Result<()> {
    let (question, files) = receive()?;
    // What this kernel knows of it takes a descriptor to say.
    let landlock = keep_from_files();
    limit()?;
    let seccomp = keep_to_calls();
    let answer = answer(question, files);
    let said = serde_json::to_vec(&Said { landlock, seccomp, answer }).map_err(io::Error::other)?;
    let mut output = io::stdout().lock();
    output.write_all(&said)?;
    output.flush()
}

fn receive() -> io::Result<(Question, Vec<File>)> {
    let mut bytes = vec![0; LONGEST_QUESTION];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(image::MOST_LAYERS + 2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let socket = io::stdin();
    let got = recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            files.extend(descriptors.map(|descriptor: OwnedFd| File::from(descriptor)));
        }
    }
    let question = serde_json::from_slice(bytes.get(..got.bytes).unwrap_or_default());
    Ok((question.map_err(io::Error::other)?, files))
}

/// Takes away what there is no need for.
fn limit() -> io::Result<()> {
    let most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Core, most(0))?;
    setrlimit(Resource::As, most(MEMORY))?;
    setrlimit(Resource::Cpu, most(TIME.as_secs()))?;
    setrlimit(Resource::Fsize, most(LARGEST_INITRD.max(LARGEST_KERNEL)))?;
    // What is open stays so, and nothing can be opened.
    setrlimit(Resource::Nofile, most(0))?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Lets no file be reached by its path; says whether the kernel sees to it.
fn keep_from_files() -> bool {
    let kept = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V3))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    kept.is_ok_and(|kept| kept.ruleset != RulesetStatus::NotEnforced)
}

/// Lets only these calls of the system through; says whether the kernel sees to it. Another one fails, as where it is
/// not allowed.
fn keep_to_calls() -> bool {
    const ALLOWED: [libc::c_long; 34] = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_preadv,
        libc::SYS_preadv2,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_lseek,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_statx,
        libc::SYS_fcntl,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_tgkill,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let rules = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let Ok(machine) = std::env::consts::ARCH.try_into() else { return false };
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, machine);
    let program = filter.and_then(seccompiler::BpfProgram::try_from);
    program.is_ok_and(|program| seccompiler::apply_filter(&program).is_ok())
}

/// Looks at the disk.
fn answer(question: Question, files: Vec<File>) -> Answer {
    let Question { formats, pieces, uefi, disk: name, task } = question;
    let mut files = files.into_iter();
    let layers: Vec<(File, DiskFormat)> = files.by_ref().take(formats.len()).zip(formats).collect();
    let opened = if pieces.is_empty() { image::open(layers) } else { image::join(layers, &pieces) };
    let bytes = match opened {
        Ok(bytes) => bytes,
        Err(error) => return Answer::Nothing(KernelFault::Format, error.to_string()),
    };
    let disk = Disk::new(bytes, Some(Instant::now() + TIME));
    if task == Task::System {
        let starts = menu(&disk, uefi).is_ok_and(|found| found.chosen(&super::Choice::Default).is_ok());
        return Answer::System(installed(&disk), starts);
    }
    let found = match menu(&disk, uefi) {
        Ok(found) => found,
        Err((fault, detail)) => return Answer::Nothing(fault, detail),
    };
    match task {
        Task::Undo(made) => match undone(&disk, made) {
            Some(change) => Answer::Change(Some(change)),
            None => Answer::Fixed(BootDefaultFault::NothingToUndo, String::new()),
        },
        Task::Menu | Task::System => Answer::Menu(found.told(&name)),
        Task::Copy(choice) => {
            let (Some(mut kernel), Some(mut initrd)) = (files.next(), files.next()) else {
                return Answer::Nothing(KernelFault::Unreadable, "there is nowhere to copy it to".into());
            };
            match copy(&found, &choice, &mut kernel, &mut initrd) {
                Ok((entry, initrd)) => Answer::Copied { entry, initrd },
                Err((fault, detail)) => Answer::Nothing(fault, detail),
            }
        }
        Task::Default(number) => {
            if let Err((fault, detail)) = found.chosen(&super::Choice::Number(number)) {
                return Answer::Nothing(fault, detail);
            }
            match change(&disk, &found, number, uefi) {
                Ok(change) => Answer::Change(change),
                Err((fault, detail)) => Answer::Fixed(fault, detail),
            }
        }
    }
}
