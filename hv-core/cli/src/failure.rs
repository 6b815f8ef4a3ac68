//! Ways in which a command does not succeed: their exit codes, and how they are told.

use crate::output::{Output, escaped};
use hv_api::client::{CallError, ConnectError};
use hv_api::problem::{Explanation, explain, explain_call, explain_connect};
use serde::Serialize;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// How much of the engine's words is shown in a line, in characters.
const DETAIL_LIMIT: usize = 1000;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Refused or failed, with its explanation.
    Refused(Box<Explanation>),
    /// The core can't be reached.
    Unreachable(Box<Explanation>),
    /// The command line makes no sense.
    Usage(String),
    /// A signal asked to stop.
    Interrupted,
    /// Nobody reads the output any more, as with `hv list | head -1`: an ordinary end.
    ReaderGone,
}

/// `hv` speaks English.
pub fn english(sentence: &str) -> String {
    sentence.to_owned()
}

impl Failure {
    /// A command about guests was given something to do, and no guest.
    pub fn no_guest(command: &str) -> Self {
        Self::Usage(format!("which guest is meant? It is written hv {command} GUEST …"))
    }

    /// The operating system refused something to `hv` itself.
    pub fn system(what: &str, error: &io::Error) -> Self {
        Self::Refused(Box::new(Explanation {
            code: "system",
            what: what.to_owned(),
            why: "The operating system refused it.".to_owned(),
            remedy: "Look at the system's words, mend what they name and try again.".to_owned(),
            detail: Some(error.to_string()),
        }))
    }

    /// Tells it and gives the exit code that stands for it.
    pub fn report(self, output: &mut Output) -> ExitCode {
        let code = match &self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Interrupted => 130,
            Self::ReaderGone => 0,
        };
        // Where even that can't be said, the exit code is all that is left.
        let _said = match &self {
            Self::Refused(explanation) | Self::Unreachable(explanation) => tell(explanation, output),
            Self::Usage(words) => writeln!(io::stderr(), "error: {}", escaped(words)).map_err(Self::from),
            Self::Interrupted => output.flush(),
            Self::ReaderGone => Ok(()),
        };
        ExitCode::from(code)
    }
}

fn tell(explanation: &Explanation, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.object(&ErrorView { error: ErrorFields::from(explanation) })?;
        return output.flush();
    }
    // What could not be written may be what is told of.
    let _written = output.flush();
    io::stderr().write_all(three_lines(explanation).as_bytes())?;
    Ok(())
}

/// What happened, why, what to do: exactly one line each.
fn three_lines(explanation: &Explanation) -> String {
    let Explanation { what, why, remedy, detail, code: _ } = explanation;
    let detail = detail.as_deref().map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "));
    let detail = detail.filter(|words| !words.is_empty()).map(|words| {
        let shown: String = words.chars().take(DETAIL_LIMIT).collect();
        let more = if shown.len() < words.len() { "…" } else { "" };
        format!(" ({shown}{more})")
    });
    let why = format!("{why}{}", detail.unwrap_or_default());
    format!("{}\n{}\n{}\n", escaped(what), escaped(&why), escaped(remedy))
}

#[derive(Serialize)]
struct ErrorView<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    code: &'a str,
    what: &'a str,
    why: &'a str,
    remedy: &'a str,
    detail: Option<&'a str>,
}

impl<'a> From<&'a Explanation> for ErrorFields<'a> {
    fn from(explanation: &'a Explanation) -> Self {
        let Explanation { code, what, why, remedy, detail } = explanation;
        Self { code, what, why, remedy, detail: detail.as_deref() }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(Box::new(explain_connect(&error, &english)))
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let explanation = Box::new(explain_call(&error, &english));
        match error {
            CallError::Refused(_) => Self::Refused(explanation),
            CallError::Broken(_) => Self::Unreachable(explanation),
        }
    }
}

impl From<hv_api::Error> for Failure {
    fn from(error: hv_api::Error) -> Self {
        Self::Refused(Box::new(explain(&error, &english)))
    }
}

/// Failures to write the answer.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::system("The output could not be written.", &error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_three_lines_whatever_its_values_contain() {
        let explanation = Explanation {
            code: "start-failed",
            what: "“a\nb\u{1b}[2J” could not start.".into(),
            why: "QEMU ended.".into(),
            remedy: "Mend it.".into(),
            detail: Some("one\n  two\r\n".into()),
        };
        let lines = three_lines(&explanation);
        assert_eq!(lines, "“a\\nb\\u{1b}[2J” could not start.\nQEMU ended. (one two)\nMend it.\n");
    }

    #[test]
    fn long_words_of_the_engine_are_cut() {
        let explanation = Explanation {
            code: "x",
            what: "a".into(),
            why: "b".into(),
            remedy: "c".into(),
            detail: Some("é".repeat(5000)),
        };
        assert!(three_lines(&explanation).chars().count() < DETAIL_LIMIT + 20);
    }

    #[test]
    fn a_reader_that_went_away_is_not_a_failure() {
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::ReaderGone));
        assert!(matches!(Failure::from(io::Error::other("full")), Failure::Refused(_)));
    }
}
