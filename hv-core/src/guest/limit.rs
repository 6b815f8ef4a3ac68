//! How much CPU time a guest's machine gets at most: a share of what its CPUs could use, kept by the host.

use super::config::Definition;
use super::context::Context;
use crate::host::scopes::{Enclosed, ScopeError, Scopes};
use hv_api::Error;
use std::time::Duration;
use tracing::{debug, warn};

/// Percent: all that its CPUs can use, which is no limit.
const ALL: u32 = 100;

/// Makes sure that this can be a guest's limit on this computer.
///
/// # Errors
/// [`Error::CpuLimitOutOfRange`], [`Error::CpuLimitUnavailable`].
pub async fn check(percent: u32, scopes: &Scopes) -> Result<(), Error> {
    if !(1..=ALL).contains(&percent) {
        return Err(Error::CpuLimitOutOfRange { requested: percent });
    }
    if percent == ALL { Ok(()) } else { scopes.check().await.map_err(|error| unavailable(&error)) }
}

/// Why no limit can be kept.
pub fn unavailable(error: &ScopeError) -> Error {
    Error::CpuLimitUnavailable { fault: error.fault(), detail: error.to_string() }
}

/// A limit as a definition has it.
pub fn of_percent(percent: u32) -> Option<u32> {
    (percent < ALL).then_some(percent)
}

/// The CPU time a second that a guest's machine gets at most.
pub fn quota(definition: &Definition) -> Option<Duration> {
    let percent = definition.cpu_limit?;
    Some(Duration::from_millis(10) * percent * definition.cpus)
}

/// A guest's engine as the host's systemd is told of it.
pub fn enclosed(definition: &Definition, pid: u32) -> Enclosed {
    Enclosed { guest: definition.id, name: definition.name.clone(), pid }
}

/// Puts an engine whose CPUs stand yet into a scope, with its guest's limit; gives the limit that is kept. An engine
/// whose limit can't be kept has a scope nevertheless, as far as there are any.
pub async fn begin(context: &Context, definition: &Definition, pid: u32) -> Option<u32> {
    let scopes = &context.scopes;
    let possible = if definition.cpu_limit.is_some() { scopes.check().await } else { Ok(()) };
    let quota = quota(definition).filter(|_| possible.is_ok());
    let enclosed = scopes.enclose(&enclosed(definition, pid), quota).await;
    match possible.and(enclosed) {
        Ok(()) => definition.cpu_limit,
        Err(error) if definition.cpu_limit.is_some() => {
            warn!(guest = %definition.id, %error, "it runs without the limit of its CPU time");
            None
        }
        Err(error) => {
            debug!(guest = %definition.id, %error, "its engine has no scope");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;

    #[test]
    fn a_limit_is_a_share_of_what_the_cpus_could_use() {
        let limited = |cpus, cpu_limit| quota(&Definition { cpus, cpu_limit, ..example() });
        assert_eq!(limited(2, None), None);
        assert_eq!(limited(1, Some(50)), Some(Duration::from_millis(500)));
        assert_eq!(limited(4, Some(75)), Some(Duration::from_secs(3)));
        assert_eq!([of_percent(1), of_percent(99), of_percent(100)], [Some(1), Some(99), None]);
    }

    #[tokio::test]
    async fn only_a_share_can_be_a_limit() {
        let nowhere = Scopes::at("unix:path=/nowhere".into(), "/nowhere".into());
        for requested in [0, 101, u32::MAX] {
            assert_eq!(check(requested, &nowhere).await, Err(Error::CpuLimitOutOfRange { requested }));
        }
        assert_eq!(check(100, &nowhere).await, Ok(()), "without a limit nothing is needed");
        assert!(matches!(check(50, &nowhere).await, Err(Error::CpuLimitUnavailable { .. })));
    }
}
