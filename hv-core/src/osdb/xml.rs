//! One file of the operating-system database, from XML to [`System`]s and tables of languages.
//!
//! Takes what it knows and passes over the rest, so that newer databases can be read. The file may be hostile:
//! document types are refused, which is what entity bombs are made of, and sizes and counts are bounded.

use super::model::{
    Amounts, Device, Firmware, LanguageRule, Media, Resources, Status, System, Tree, TreeInfo, Variant,
};
use super::pattern::Pattern;
use hv_api::ByteSize;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::HashMap;

/// The largest file that is read, in bytes. The largest one known has 100,000.
pub const LARGEST: u64 = 2 << 20;

/// The most elements, attributes and texts in one file.
const MOST_NODES: u32 = 200_000;

/// The deepest nesting, of elements within elements. What is known needs 7.
const DEEPEST: usize = 32;

/// The most entries of one kind that one system may have in one file.
const MOST_ENTRIES: usize = 2000;

/// A table of words and what they are elsewhere.
pub type Words = HashMap<Box<str>, Box<str>>;

/// What one file says.
#[derive(Debug, Default)]
pub struct Content {
    /// Its systems.
    pub systems: Vec<System>,
    /// Its tables, by their identity.
    pub maps: Vec<(Box<str>, Words)>,
}

/// Reads a file.
///
/// # Errors
/// Why it can't be used, for the log.
pub fn read(text: &str) -> Result<Content, String> {
    if too_deep(text) {
        return Err(format!("more than {DEEPEST} elements within each other"));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    let root = document.root_element();
    if root.tag_name().name() != "libosinfo" {
        return Err(format!("<{}> instead of <libosinfo>", root.tag_name().name()));
    }
    let mut content = Content::default();
    for node in root.children().filter(Node::is_element).take(MOST_ENTRIES) {
        match node.tag_name().name() {
            "os" => content.systems.extend(system(node)),
            "datamap" => content.maps.extend(map(node)),
            _ => {}
        }
    }
    Ok(content)
}

/// A look at the nesting before anything recursive sees the text. It counts what could be a start of an element,
/// and so at least the true depth.
fn too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        match rest.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!') if rest.starts_with("!--") => {
                let Some(end) = rest.find("-->") else { return false };
                rest = &rest[end..];
            }
            Some(b'?' | b'!') | None => {}
            Some(_) => {
                let end = rest.find('>').unwrap_or(rest.len());
                if !rest[..end].ends_with('/') {
                    depth += 1;
                }
            }
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

fn text(node: Node<'_, '_>) -> Option<Box<str>> {
    let text = node.text()?.trim();
    (!text.is_empty()).then(|| text.into())
}

/// The untranslated text of the first element of this name.
fn named(parent: Node<'_, '_>, name: &str) -> Option<Box<str>> {
    let is_it = |node: &Node<'_, '_>| node.has_tag_name(name) && !is_translated(*node);
    parent.children().find(is_it).and_then(text)
}

fn is_translated(node: Node<'_, '_>) -> bool {
    node.attribute(("http://www.w3.org/XML/1998/namespace", "lang")).is_some()
}

fn flag(node: Node<'_, '_>, name: &str, unset: bool) -> bool {
    match node.attribute(name) {
        Some("true" | "yes" | "1") => true,
        Some("false" | "no" | "0") => false,
        _ => unset,
    }
}

fn system(node: Node<'_, '_>) -> Option<System> {
    let mut system = System { id: node.attribute("id")?.into(), ..System::default() };
    let mut entries = 0;
    for child in node.children().filter(Node::is_element) {
        // Most of a file are names in other languages.
        if is_translated(child) {
            continue;
        }
        entries += 1;
        if entries > MOST_ENTRIES {
            break;
        }
        let id = || child.attribute("id").map(Box::from);
        let set = |place: &mut Option<Box<str>>| {
            if place.is_none() {
                *place = text(child);
            }
        };
        match child.tag_name().name() {
            "short-id" => system.short_ids.extend(text(child)),
            "name" if system.name.is_empty() => system.name = text(child).unwrap_or_default(),
            "version" => set(&mut system.version),
            "vendor" => set(&mut system.vendor),
            "family" => set(&mut system.family),
            "distro" => set(&mut system.distro),
            "codename" => set(&mut system.codename),
            "release-date" => set(&mut system.released),
            "eol-date" => set(&mut system.end_of_life),
            "cloud-image-username" => set(&mut system.cloud_user),
            "image" => system.cloud_images.extend(cloud_image(child)),
            "kernel-url-argument" => set(&mut system.kernel_url_argument),
            "release-status" => system.status = status(child.text().unwrap_or_default().trim()),
            "upgrades" => system.upgrades.extend(id()),
            "derives-from" => system.derives_from.extend(id()),
            "clones" => system.clones.extend(id()),
            "variant" => system
                .variants
                .extend(id().map(|id| Variant { id, name: named(child, "name").unwrap_or_default() })),
            "firmware" => system.firmware.extend(firmware(child)),
            "devices" => system.devices.extend(child.children().filter_map(device)),
            "media" => system.media.extend(media(child)),
            "tree" => system.trees.push(tree(child)),
            "resources" => system.resources.push(resources(child)),
            _ => {}
        }
    }
    Some(system)
}

fn status(text: &str) -> Status {
    match text {
        "prerelease" => Status::Prerelease,
        "snapshot" => Status::Snapshot,
        "rolling" => Status::Rolling,
        _ => Status::Released,
    }
}

fn firmware(node: Node<'_, '_>) -> Option<Firmware> {
    Some(Firmware {
        arch: node.attribute("arch").unwrap_or("all").into(),
        kind: node.attribute("type")?.into(),
        supported: flag(node, "supported", true),
    })
}

fn device(node: Node<'_, '_>) -> Option<Device> {
    let id = node.attribute("id").filter(|_| node.has_tag_name("device"))?;
    Some(Device { id: id.into(), supported: flag(node, "supported", true) })
}

/// The ids of the elements of this name.
fn ids(parent: Node<'_, '_>, name: &str) -> Vec<Box<str>> {
    let named = parent.children().filter(|node| node.has_tag_name(name));
    named.filter_map(|node| node.attribute("id").map(Box::from)).take(MOST_ENTRIES).collect()
}

fn arch(node: Node<'_, '_>) -> Box<str> {
    node.attribute("arch").unwrap_or("all").into()
}

/// A medium; nothing where it can't be recognised by its labels.
fn media(node: Node<'_, '_>) -> Option<Media> {
    let iso = node.children().find(|child| child.has_tag_name("iso"))?;
    let mut media = Media {
        arch: arch(node),
        variants: ids(node, "variant"),
        live: flag(node, "live", false),
        installer: flag(node, "installer", true),
        reboots: node.attribute("installer-reboots").and_then(|count| count.parse().ok()).unwrap_or(1),
        eject: flag(node, "eject-after-install", true),
        kernel: named(node, "kernel"),
        initrd: named(node, "initrd"),
        ..Media::default()
    };
    for child in iso.children().filter(Node::is_element).take(MOST_ENTRIES) {
        let pattern = || text(child).map(|text| Pattern::new(&text));
        match child.tag_name().name() {
            "volume-id" => media.volume = pattern(),
            "system-id" => media.system = pattern(),
            "publisher-id" => media.publisher = pattern(),
            "application-id" => media.application = pattern(),
            "volume-size" => {
                media.volume_size = text(child).and_then(|text| text.parse().ok()).filter(|size| *size > 0);
            }
            "l10n-language" if flag(child, "regex", false) => {
                let map = child.attribute("l10n-language-map").map(Box::from);
                media.language = pattern().map(|pattern| LanguageRule { pattern, map });
            }
            "l10n-language" => media.languages.extend(text(child)),
            _ => {}
        }
    }
    let recognisable = media.volume.is_some()
        || media.system.is_some()
        || media.publisher.is_some()
        || media.application.is_some();
    recognisable.then_some(media)
}

fn tree(node: Node<'_, '_>) -> Tree {
    let info = node.children().find(|child| child.has_tag_name("treeinfo")).map(|info| {
        let pattern = |name| named(info, name).map(|text| Pattern::new(&text));
        TreeInfo {
            family: pattern("family"),
            variant: pattern("variant"),
            version: pattern("version"),
            arch: pattern("arch"),
        }
    });
    Tree {
        arch: arch(node),
        variants: ids(node, "variant"),
        url: named(node, "url"),
        info,
        kernel: named(node, "kernel"),
        initrd: named(node, "initrd"),
    }
}

/// The name of an image's file, where the image sets itself up.
fn cloud_image(node: Node<'_, '_>) -> Option<Box<str>> {
    let url = named(node, "url").filter(|_| flag(node, "cloud-init", false))?;
    let file = url.rsplit('/').next().filter(|file| file.contains('.') && file.len() <= 200)?;
    Some(file.into())
}

fn resources(node: Node<'_, '_>) -> Resources {
    let amounts = |name| {
        let found = node.children().find(|child| child.has_tag_name(name));
        found.map(amounts).unwrap_or_default()
    };
    Resources {
        arch: arch(node),
        minimum: amounts("minimum"),
        recommended: amounts("recommended"),
        maximum: amounts("maximum"),
        network_install: amounts("network-install"),
        inherit: flag(node, "inherit", false),
    }
}

fn amounts(node: Node<'_, '_>) -> Amounts {
    let number =
        |name| named(node, name).and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
    Amounts {
        cpus: number("n-cpus").and_then(|count| u32::try_from(count).ok()),
        memory: number("ram").map(ByteSize::bytes),
        disk: number("storage").map(ByteSize::bytes),
    }
}

fn map(node: Node<'_, '_>) -> Option<(Box<str>, Words)> {
    let id = node.attribute("id")?.into();
    let entries = node.children().filter(|child| child.has_tag_name("entry")).take(MOST_ENTRIES);
    let entry =
        |entry: Node<'_, '_>| Some((entry.attribute("inval")?.into(), entry.attribute("outval")?.into()));
    Some((id, entries.filter_map(entry).collect()))
}
