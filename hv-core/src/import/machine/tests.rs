//! Tests of [`super`], with descriptions as the three programs write them that most appliances come from.

use crate::import::plan;
use crate::import::tests::HERE;
use hv_api::{ApplianceFault, Error, ImportPlan};
use proptest::prelude::*;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const VIRTUALBOX: &str = include_str!("texts/virtualbox.ovf");
const VMWARE: &str = include_str!("texts/vmware.ovf");
const OVIRT: &str = include_str!("texts/ovirt.ovf");

/// What a description comes to whose folder has these files.
fn read(text: &str, files: &[&str], machine: Option<&str>) -> Result<ImportPlan, Error> {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "content").unwrap();
    }
    let path = folder.path().join("machine.ovf");
    fs::write(&path, text).unwrap();
    let mut plan = plan(&path, machine, &HERE)?;
    // Where it is differs from run to run.
    let shown = |path: &mut Option<String>| {
        if let Some(path) = path {
            *path = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
        }
    };
    shown(&mut plan.guest.iso);
    plan.guest.disks.iter_mut().flatten().for_each(|disk| shown(&mut disk.path));
    Ok(plan)
}

/// A plan as a person could read it.
fn told(plan: &ImportPlan) -> String {
    let mut text = String::new();
    for note in &plan.notes {
        let reason = note.reason.map(|reason| format!(" ({reason:?})")).unwrap_or_default();
        writeln!(text, "{:?}: {}{reason}", note.outcome, note.item).unwrap();
    }
    let guest = serde_json::to_value(&plan.guest).unwrap();
    for (key, value) in guest.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()) {
        for one in value.as_array().unwrap_or(&vec![value.clone()]) {
            let mut one = one.clone();
            if let Some(fields) = one.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            writeln!(text, "{key} = {one}").unwrap();
        }
    }
    writeln!(text, "machines: {:?}, licences: {:?}", plan.machines, plan.licences).unwrap();
    text
}

#[test]
fn a_machine_of_virtualbox_is_one_here() {
    let plan = read(VIRTUALBOX, &["box-disk001.vmdk", "box-disk002.vmdk", "machine.mf"], None).unwrap();
    insta::assert_snapshot!(told(&plan));
}

#[test]
fn machines_of_vmware_come_one_at_a_time() {
    let files = ["shop disk1.vmdk", "tools.iso", "machine.cert"];
    let plan = read(VMWARE, &files, None).unwrap();
    insta::assert_snapshot!(told(&plan));
    let other = read(VMWARE, &files, Some("shop back")).unwrap();
    assert_eq!((&*other.guest.name, other.guest.cpus), ("shop back", Some(1)));
    assert!(
        matches!(read(VMWARE, &files, Some("cellar")), Err(Error::MachineNotFound { known, .. }) if known.len() == 2)
    );
}

#[test]
fn a_machine_of_ovirt_keeps_its_virtio() {
    let disk = "8a1c2d3e-0000-4000-8000-000000000001/8a1c2d3e-0000-4000-8000-000000000002";
    insta::assert_snapshot!(told(&read(OVIRT, &[disk], None).unwrap()));
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::write(inner.join("disk.vmdk"), "content").unwrap();
    std::os::unix::fs::symlink("../secret", inner.join("link.vmdk")).unwrap();
    std::os::unix::fs::symlink("disk.vmdk", inner.join("within.vmdk")).unwrap();
    fs::write(inner.join("machine.ovf"), OVIRT).unwrap();
    let appliance = crate::appliance::Appliance::open(&inner.join("machine.ovf")).unwrap().unwrap();
    let fault = |name: &str| match appliance.find(name) {
        Err(Error::ApplianceFileUnusable { fault, .. }) => Some(fault),
        other => {
            assert!(other.is_ok(), "{other:?}");
            None
        }
    };
    assert_eq!(fault("disk.vmdk"), None);
    assert_eq!(fault("./disk%2Evmdk"), None);
    assert_eq!(fault("within.vmdk"), None);
    assert_eq!(fault("none.vmdk"), Some(ApplianceFault::Missing));
    assert_eq!(fault("."), Some(ApplianceFault::Missing));
    for name in ["link.vmdk", "../secret", "/etc/passwd", "%2e%2e/secret", "a/../../secret"] {
        assert_eq!(fault(name), Some(ApplianceFault::Outside), "{name}");
    }
    assert_eq!(fault("https://example.org/disk.vmdk"), Some(ApplianceFault::Remote));
}

proptest! {
    /// Descriptions with parts left out, doubled or mixed up are read or refused, and what is read is noted.
    #[test]
    fn whatever_a_description_says_is_read_or_refused(
        which in 0_usize..3,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..3), 0..8),
    ) {
        let mut lines: Vec<&str> = [VIRTUALBOX, VMWARE, OVIRT][which].lines().collect();
        for (from, to, what) in cuts {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match what {
                0 => lines[from] = "",
                1 => lines[from] = lines[to],
                _ => lines.swap(from, to),
            }
        }
        if let Ok(plan) = read(&lines.join("\n"), &[], None) {
            prop_assert!(!plan.notes.is_empty());
            prop_assert!(plan.guest.disks.iter().flatten().count() <= 500);
        }
    }
}
