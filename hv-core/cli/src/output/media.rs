//! What media are, as JSON and as text.

use super::human::block;
use super::views::{Word, wire_word};
use crate::failure::english;
use hv_api::problem::{express_sentence, note_sentence};
use hv_api::{
    ApplianceInfo, BackingFile, BootMode, ByteSize, Confidence, Express, MediumInfo, MediumKind, MediumNote,
    OsChoice, Recommended,
};
use serde::Serialize;

/// What a file is.
#[derive(Debug, Serialize)]
pub struct MediumView<'a> {
    path: &'a str,
    kind: Word<MediumKind>,
    os: Option<&'a str>,
    os_name: Option<&'a str>,
    candidates: Vec<&'a str>,
    family: Option<&'a str>,
    arch: Option<&'a str>,
    confidence: Word<Confidence>,
    newer_than_database: bool,
    variants: &'a [String],
    languages: &'a [String],
    live: Option<bool>,
    boot: Vec<Word<BootMode>>,
    kernel: Option<&'a str>,
    initrd: Option<&'a str>,
    kernel_args: Option<&'a str>,
    volume_id: Option<&'a str>,
    system_id: Option<&'a str>,
    publisher_id: Option<&'a str>,
    application_id: Option<&'a str>,
    volume_size: Option<ByteSize>,
    size: ByteSize,
    format: Option<&'a str>,
    virtual_size: Option<ByteSize>,
    express: Option<Word<Express>>,
    cloud_image: bool,
    cloud_user: Option<&'a str>,
    recommended: Recommended,
    suggested_name: &'a str,
    notes: Vec<Word<MediumNote>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appliance: Option<&'a ApplianceInfo>,
    #[serde(skip_serializing_if = "<[BackingFile]>::is_empty")]
    backing: &'a [BackingFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    backing_fault: Option<&'a str>,
}

impl<'a> From<&'a MediumInfo> for MediumView<'a> {
    fn from(medium: &'a MediumInfo) -> Self {
        Self {
            path: &medium.path,
            kind: Word(medium.kind),
            os: medium.os.as_deref(),
            os_name: medium.os_name.as_deref(),
            candidates: medium.candidates.iter().map(|choice| choice.os.as_str()).collect(),
            family: medium.family.as_deref(),
            arch: medium.arch.as_deref(),
            confidence: Word(medium.confidence),
            newer_than_database: medium.newer_than_database,
            variants: &medium.variants,
            languages: &medium.languages,
            live: medium.live,
            boot: medium.boot.iter().copied().map(Word).collect(),
            kernel: medium.kernel.as_deref(),
            initrd: medium.initrd.as_deref(),
            kernel_args: medium.kernel_args.as_deref(),
            volume_id: medium.volume_id.as_deref(),
            system_id: medium.system_id.as_deref(),
            publisher_id: medium.publisher_id.as_deref(),
            application_id: medium.application_id.as_deref(),
            volume_size: medium.volume_size,
            size: medium.size,
            format: medium.format.as_deref(),
            virtual_size: medium.virtual_size,
            express: medium.express.map(Word),
            cloud_image: medium.cloud_image,
            cloud_user: medium.cloud_user.as_deref(),
            recommended: medium.recommended,
            suggested_name: &medium.suggested_name,
            notes: medium.notes.iter().copied().map(Word).collect(),
            appliance: medium.appliance.as_ref(),
            backing: &medium.backing,
            backing_fault: medium.backing_fault.as_deref(),
        }
    }
}

/// What a file is.
pub fn medium_block(medium: &MediumInfo) -> String {
    let mut facts = vec![("Kind", wire_word(&medium.kind))];
    facts.push(("System", system(medium)));
    if let Some(arch) = &medium.arch {
        facts.push(("Processor", arch.clone()));
    }
    if !medium.languages.is_empty() {
        facts.push(("Languages", medium.languages.join(", ")));
    }
    if let Some(kernel) = &medium.kernel {
        let initrd = medium.initrd.as_ref().map(|initrd| format!(", {initrd}")).unwrap_or_default();
        facts.push(("Kernel", format!("{kernel}{initrd}")));
    }
    if let Some(arguments) = &medium.kernel_args {
        facts.push(("Arguments", arguments.clone()));
    }
    if !medium.boot.is_empty() {
        facts.push(("Starts by", medium.boot.iter().map(wire_word).collect::<Vec<_>>().join(", ")));
    }
    if let Some(volume) = &medium.volume_id {
        facts.push(("Label", volume.clone()));
    }
    if let Some(format) = &medium.format {
        facts.push(("Format", format.clone()));
    }
    if let Some(size) = medium.virtual_size {
        facts.push(("Disk size", size.to_string()));
    }
    if medium.cloud_image {
        let user = medium.cloud_user.as_ref().map(|user| format!(", its user is usually {user}"));
        facts.push(("Cloud image", format!("sets itself up at its first start{}", user.unwrap_or_default())));
    }
    if let Some(express) = medium.express {
        facts.push(("Express", express_sentence(express, &english)));
    }
    facts.push(("File size", medium.size.to_string()));
    if let Some(appliance) = &medium.appliance {
        appliance_facts(appliance, &mut facts);
    }
    let recommended = &medium.recommended;
    facts.push((
        "Recommended",
        format!("CPUs: {}, memory: {}, disk: {}", recommended.cpus, recommended.memory, recommended.disk),
    ));
    for file in &medium.backing {
        let outside = if file.outside { ", in another folder" } else { "" };
        facts.push(("Builds on", format!("{} ({}{outside})", file.path, file.format)));
    }
    if let Some(fault) = &medium.backing_fault {
        facts.push(("Builds on", fault.clone()));
    }
    facts.extend(medium.notes.iter().map(|note| ("Note", note_sentence(*note, &english))));
    block(&medium.path, &facts)
}

/// What is in an appliance.
fn appliance_facts(appliance: &ApplianceInfo, facts: &mut Vec<(&'static str, String)>) {
    facts.push(("Machine", appliance.machines.join(", ")));
    if let Some(product) = &appliance.product {
        facts.push(("Product", product.clone()));
    }
    for disk in &appliance.disks {
        let file = disk.file.as_deref().unwrap_or("empty");
        let format = disk.format.as_ref().map(|format| format!(", {format}")).unwrap_or_default();
        let size = disk.size.map(|size| format!(", {size}")).unwrap_or_default();
        facts.push(("Disk", format!("{file}{format}{size}")));
    }
    facts.extend(appliance.networks.iter().map(|network| ("Network card", network.clone())));
    if appliance.licences > 0 {
        facts.push(("Licences", appliance.licences.to_string()));
    }
    facts.push(("Manifest", if appliance.has_manifest { "yes" } else { "none" }.to_owned()));
}

/// An operating system that a guest can be for.
#[derive(Debug, Serialize)]
pub struct SystemView<'a> {
    os: &'a str,
    os_name: &'a str,
    released: Option<&'a str>,
    recommended: Recommended,
}

impl<'a> From<&'a OsChoice> for SystemView<'a> {
    fn from(choice: &'a OsChoice) -> Self {
        let OsChoice { os, os_name, released, recommended } = choice;
        Self { os, os_name, released: released.as_deref(), recommended: *recommended }
    }
}

/// The system on a medium and how sure that is, or those it may be.
fn system(medium: &MediumInfo) -> String {
    let newer = if medium.newer_than_database { ", newer than this computer's database" } else { "" };
    let sure = wire_word(&medium.confidence);
    match medium.os_name.as_deref().or(medium.os.as_deref()) {
        Some(system) => format!("{system} ({sure}{newer})"),
        None if medium.candidates.is_empty() => "unknown".to_owned(),
        None => {
            let names: Vec<&str> = medium.candidates.iter().map(|choice| choice.os_name.as_str()).collect();
            format!("one of {} ({sure}{newer})", names.join(", "))
        }
    }
}
