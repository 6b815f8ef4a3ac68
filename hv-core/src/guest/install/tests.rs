//! When an installation is over, and what is left of it until then.

use super::*;
use crate::guest::config::tests::example;
use proptest::prelude::*;

fn install(restarts: u32) -> Install {
    Install {
        medium: Some("cd0".into()),
        restarts,
        kernel: Some(Kernel { initrd: Some("/initrd".into()), ..Kernel::of_file("install/linux") }),
        ..Install::default()
    }
}

#[test]
fn an_installer_that_has_written_nothing_begins_again() {
    for restarts in 1..4 {
        assert_eq!(install(restarts).after_end(false), Next::Same);
    }
}

#[test]
fn an_installer_that_restarts_twice_goes_on_from_the_disk() {
    assert_eq!(install(1).after_end(true), Next::Done);
    let Next::Goes(rest) = install(2).after_end(true) else { panic!("it is not done") };
    assert_eq!(rest, Install { kernel: None, ..install(1) });
    assert_eq!(rest.after_end(true), Next::Done);
}

#[test]
fn what_is_installed_has_only_the_installers_things_taken_away() {
    let before = Definition { install: Some(install(1)), ..example() };
    let after = before.installed(7);
    assert_eq!((after.install.as_ref(), after.installed), (None, Some(7)));
    assert_eq!(after.drives[0].medium, None);
    assert_eq!((&after.kernel, &after.disks, after.drives.len()), (&before.kernel, &before.disks, 2));
    // A medium that is to stay stays.
    let stays = Install { medium: None, ..install(1) };
    let before = Definition { install: Some(stays), ..example() };
    assert_eq!(before.installed(7).drives, example().drives);
}

#[test]
fn a_table_that_can_not_be_is_refused() {
    assert_eq!(install(1).check(1), Ok(()));
    assert!(install(1).check(0).is_err_and(|words| words.contains("cd0")));
    assert!(install(0).check(1).is_err());
    assert!(install(17).check(1).is_err());
    let text = Definition { install: Some(install(9)), ..example() }.write();
    assert!(Definition::read(&text).is_ok());
    assert!(Definition::read(&text.replace("restarts = 9", "restarts = 99")).is_err());
}

proptest! {
    /// Whatever the disk looks like each time, an installation ends after as many endings with something on the
    /// disk as it was to have, and not before.
    #[test]
    fn it_ends_when_it_has_ended_often_enough(restarts in 1..6_u32, disks in prop::collection::vec(any::<bool>(), 0..12)) {
        let mut left = Some(install(restarts));
        for (at, startable) in disks.iter().enumerate() {
            let Some(now) = &left else { break };
            let written = disks[..=at].iter().filter(|startable| **startable).count() as u32;
            left = match now.after_end(*startable) {
                Next::Same => Some(now.clone()),
                Next::Goes(rest) => Some(rest),
                Next::Done => None,
            };
            prop_assert_eq!(left.is_none(), written >= restarts);
            if let Some(left) = &left {
                prop_assert_eq!(left.kernel.is_none(), written > 0);
                prop_assert_eq!(left.check(1), Ok(()));
            }
        }
    }
}
