//! The description of an appliance: OVF, in XML, as all programs write it that do.
//!
//! It is read without regard to name spaces: each program has its own, and versions differ in them. What it says is
//! kept as it is said; what that means here, [`crate::import`] decides. It is hostile: there are no document types, and
//! the number of its elements, and of what is kept of it, is bounded.

use hv_api::ByteSize;
use roxmltree::{Document, Node, ParsingOptions};

/// The most elements and attributes that are read. A large description has some thousand.
const MOST_NODES: u32 = 50_000;

/// The most machines, files and disks that are kept, and the most devices of a machine.
const MOST: usize = 500;

/// The longest licence that is kept, in characters.
const LONGEST_LICENCE: usize = 64 << 10;

/// A whole description.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Description {
    /// Files that belong to it.
    pub files: Vec<File>,
    /// Disks of its machines.
    pub disks: Vec<Disk>,
    /// Ways in which it can be set up.
    pub configurations: Vec<Configuration>,
    /// Its machines.
    pub machines: Vec<Machine>,
    /// Licences of all of it.
    pub licences: Vec<String>,
    /// What else it says of all of it, an element a line.
    pub others: Vec<String>,
}

/// A file that belongs to it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct File {
    /// The word by which disks and drives name it.
    pub id: String,
    /// Where it is: a path, or an address.
    pub href: String,
    /// Whether it is in pieces.
    pub is_chunked: bool,
}

/// A disk of its machines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The word by which machines name it.
    pub id: String,
    /// The word of its file; nothing where it is empty.
    pub file: Option<String>,
    /// Its size.
    pub capacity: Option<ByteSize>,
    /// The word of the disk that it builds on.
    pub parent: Option<String>,
    /// What it is attached to, as oVirt has it.
    pub interface: Option<String>,
}

/// A way in which it can be set up.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its word.
    pub id: String,
    /// Its name.
    pub label: String,
    /// Whether it is the usual one.
    pub is_default: bool,
}

/// A machine.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its word.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// What it says of its operating system.
    pub system: SystemWords,
    /// The operating system's element, as a line.
    pub system_item: Option<String>,
    /// The product on it.
    pub product: Option<String>,
    /// What somebody wrote about it.
    pub annotation: Option<String>,
    /// Its licences.
    pub licences: Vec<String>,
    /// For which program it was made, as `vmx-19`.
    pub family: Option<String>,
    /// Its devices.
    pub devices: Vec<Device>,
    /// Further settings of single programs: their name, their value, and the element as a line.
    pub settings: Vec<(String, String, String)>,
    /// What else it says, an element a line.
    pub others: Vec<String>,
}

/// What a machine says of its operating system, each in the words of another program.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SystemWords {
    /// The number of CIM's list.
    pub number: Option<u32>,
    /// VMware's word, as `debian12_64Guest`.
    pub vmware: Option<String>,
    /// VirtualBox' word, as `Debian12_64`.
    pub virtualbox: Option<String>,
    /// The release, where it is told by itself.
    pub version: Option<String>,
    /// Whatever people are told.
    pub text: String,
}

/// A device of a machine.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Device {
    /// It as a line.
    pub item: String,
    /// The number of its kind in CIM's list.
    pub kind: u32,
    /// Which of its kind it is, as `lsilogic`.
    pub model: String,
    /// Its number among the devices.
    pub id: String,
    /// The number of the device that it is attached to.
    pub parent: Option<String>,
    /// Its place there.
    pub address: Option<u32>,
    /// How many or how much.
    pub quantity: Option<u64>,
    /// In which unit.
    pub unit: String,
    /// What is behind it, as `ovf:/disk/vmdisk1`.
    pub resource: Option<String>,
    /// The network that it is on.
    pub connection: Option<String>,
    /// The address of a network card.
    pub mac: Option<String>,
    /// Whether it is switched on at the start.
    pub is_connected: bool,
    /// The configurations that it is for; empty where it is for all.
    pub configurations: Vec<String>,
}

/// Reads one.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(text: &str) -> Result<Description, String> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let text = text.trim_start_matches('\u{feff}');
    let document =
        Document::parse_with_options(text, options).map_err(|error| format!("it is no XML: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "Envelope" {
        return Err("it describes no appliance".into());
    }
    let mut description = Description::default();
    for node in elements(root) {
        match kind(node) {
            "References" => description.files = children(node, "File").map(file).take(MOST).collect(),
            "DiskSection" => description.disks = children(node, "Disk").map(disk).take(MOST).collect(),
            "DeploymentOptionSection" => {
                description.configurations =
                    children(node, "Configuration").map(configuration).take(MOST).collect();
            }
            "EulaSection" => description.licences.extend(licence(node)),
            "VirtualSystem" => add_machine(node, &mut description),
            "VirtualSystemCollection" => {
                for inner in elements(node) {
                    match kind(inner) {
                        // Collections in collections are as good as one.
                        "VirtualSystemCollection" => inner
                            .descendants()
                            .filter(|node| node.is_element() && kind(*node) == "VirtualSystem")
                            .for_each(|node| add_machine(node, &mut description)),
                        "VirtualSystem" => add_machine(inner, &mut description),
                        "EulaSection" => description.licences.extend(licence(inner)),
                        "Info" | "Name" => {}
                        _ => add_other(inner, &mut description.others),
                    }
                }
            }
            // What the networks are called stands at the network cards too.
            "NetworkSection" | "Info" | "Strings" => {}
            _ => add_other(node, &mut description.others),
        }
    }
    if description.machines.is_empty() {
        return Err("there is no machine in it".into());
    }
    Ok(description)
}

fn add_machine(node: Node<'_, '_>, description: &mut Description) {
    if description.machines.len() < MOST {
        description.machines.push(machine(node));
    }
}

fn add_other(node: Node<'_, '_>, others: &mut Vec<String>) {
    if others.len() < MOST {
        others.push(shown(node));
    }
}

fn machine(node: Node<'_, '_>) -> Machine {
    let id = attribute(node, "id").unwrap_or_default().to_owned();
    let mut machine = Machine { id, ..Machine::default() };
    for part in elements(node) {
        match kind(part) {
            "Info" => {}
            "Name" => machine.name = some(text_of(part)),
            "OperatingSystemSection" => {
                system(part, &mut machine.system);
                machine.system_item = Some(system_item(part, &machine.system));
            }
            "ProductSection" => {
                let words = ["Product", "Version", "FullVersion"].map(|name| child_text(part, name));
                machine.product = machine
                    .product
                    .or_else(|| some(words[..2].iter().flatten().cloned().collect::<Vec<_>>().join(" ")));
                let properties = part.descendants().filter(|node| node.has_tag_name_of("Property"));
                properties.for_each(|property| add_other(property, &mut machine.others));
            }
            "AnnotationSection" => machine.annotation = child_text(part, "Annotation"),
            "EulaSection" => machine.licences.extend(licence(part)),
            "VirtualHardwareSection" => hardware(part, &mut machine),
            "Machine" => virtualbox(part, &mut machine),
            // As oVirt has it.
            "BiosType" => machine.settings.push(("ovirt:BiosType".into(), text_of(part), shown(part))),
            "Description" => machine.annotation = some(text_of(part)),
            _ => add_other(part, &mut machine.others),
        }
    }
    machine
}

fn system(node: Node<'_, '_>, words: &mut SystemWords) {
    words.number = attribute(node, "id").and_then(|id| id.parse().ok());
    words.vmware = attribute(node, "osType").map(str::to_owned);
    words.virtualbox = child_text(node, "OSType");
    words.version = attribute(node, "version").and_then(|version| some(version.to_owned()));
    words.text = child_text(node, "Description").unwrap_or_default();
}

/// The operating system as a line.
fn system_item(node: Node<'_, '_>, words: &SystemWords) -> String {
    let number = words.number.map(|number| number.to_string());
    let parts = [
        Some(words.text.clone()),
        words.version.clone(),
        words.vmware.clone(),
        words.virtualbox.clone(),
        number,
    ];
    let mut all: Vec<String> = Vec::new();
    for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
        if !all.contains(&part) {
            all.push(part);
        }
    }
    if all.is_empty() { shown(node) } else { format!("operating system: {}", all.join(", ")) }
}

fn hardware(node: Node<'_, '_>, machine: &mut Machine) {
    for part in elements(node) {
        match kind(part) {
            "System" => machine.family = child_text(part, "VirtualSystemType"),
            "Item" | "StorageItem" | "EthernetPortItem" if machine.devices.len() < MOST => {
                machine.devices.push(device(part));
            }
            "Config" | "ExtraConfig" => {
                let said = |name| attribute(part, name).unwrap_or_default().to_owned();
                machine.settings.push((said("key"), said("value"), shown(part)));
            }
            "Info" => {}
            _ => add_other(part, &mut machine.others),
        }
    }
}

fn device(node: Node<'_, '_>) -> Device {
    let said = |name: &str| child_text(node, name);
    let kind = said("ResourceType").and_then(|kind| kind.parse().ok()).unwrap_or_default();
    let name = said("ElementName").or_else(|| said("Caption")).unwrap_or_default();
    let model = said("ResourceSubType").unwrap_or_default();
    let (quantity, resource, connection) =
        (said("VirtualQuantity"), said("HostResource"), said("Connection"));
    // What a line can say of it, the name first.
    let parts = [Some(name.as_str()), Some(model.as_str()), resource.as_deref(), connection.as_deref()];
    let mut words: Vec<&str> = Vec::new();
    for part in parts.into_iter().flatten() {
        if !part.is_empty() && !words.contains(&part) {
            words.push(part);
        }
    }
    let item = format!("{}: {}", kind_name(kind), words.join(", "));
    // oVirt counts CPUs as sockets of cores with threads.
    let counted = |name| said(name).and_then(|count| count.parse::<u64>().ok());
    let product = counted("num_of_sockets").map(|sockets| {
        let cores = counted("cpu_per_socket").unwrap_or(1);
        sockets.saturating_mul(cores).saturating_mul(counted("threads_per_cpu").unwrap_or(1))
    });
    Device {
        item,
        kind,
        id: said("InstanceID").or_else(|| said("InstanceId")).unwrap_or_default(),
        parent: said("Parent"),
        address: said("AddressOnParent").and_then(|address| address.parse().ok()),
        quantity: quantity.and_then(|quantity| quantity.parse().ok()).or(product),
        unit: said("AllocationUnits").unwrap_or_default(),
        resource,
        connection,
        mac: said("MACAddress").or_else(|| said("Address").filter(|address| address.contains(':'))),
        is_connected: said("AutomaticAllocation").is_none_or(|word| word != "false"),
        configurations: attribute(node, "configuration")
            .map(|words| words.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        model,
    }
}

/// The machine as VirtualBox itself has it, of which some things stand nowhere else.
fn virtualbox(node: Node<'_, '_>, machine: &mut Machine) {
    if let Some(system) = attribute(node, "OSType") {
        machine.system.virtualbox.get_or_insert_with(|| system.to_owned());
    }
    let mut add = |key: &str, value: Option<&str>, node| {
        if let Some(value) = value {
            machine.settings.push((format!("vbox:{key}"), value.to_owned(), shown(node)));
        }
    };
    for part in node.descendants().filter(Node::is_element).take(MOST) {
        let said = |name| attribute(part, name);
        match part.tag_name().name() {
            "Firmware" => add("Firmware", said("type"), part),
            "TrustedPlatformModule" => add("Tpm", said("type"), part),
            "AudioAdapter" if said("enabled") != Some("false") => {
                add("Audio", said("controller").or(Some("AC97")), part);
            }
            "Port" if part.parent().is_some_and(|parent| parent.has_tag_name_of("UART")) => {
                add("Uart", said("enabled"), part);
            }
            "Adapter" if said("enabled") == Some("true") => add("Mac", said("MACAddress"), part),
            "SecureBoot" => add("SecureBoot", said("enabled"), part),
            "SharedFolder" => add("SharedFolder", said("name"), part),
            _ => {}
        }
    }
}

fn file(node: Node<'_, '_>) -> File {
    let said = |name| attribute(node, name).unwrap_or_default().to_owned();
    File { id: said("id"), href: said("href"), is_chunked: attribute(node, "chunkSize").is_some() }
}

fn disk(node: Node<'_, '_>) -> Disk {
    let said = |name| attribute(node, name).and_then(|word| some(word.to_owned()));
    let number = |name| said(name).and_then(|number| number.parse::<u64>().ok());
    let unit = unit(&said("capacityAllocationUnits").unwrap_or_default(), 1);
    let capacity = number("capacity").zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    // oVirt's own attribute counts in gigabytes.
    let capacity = capacity.or_else(|| number("size")?.checked_mul(1 << 30));
    Disk {
        id: said("diskId").unwrap_or_default(),
        file: said("fileRef"),
        capacity: capacity.map(ByteSize::bytes),
        parent: said("parentRef"),
        interface: said("disk-interface"),
    }
}

fn configuration(node: Node<'_, '_>) -> Configuration {
    let id = attribute(node, "id").unwrap_or_default().to_owned();
    let label = child_text(node, "Label").unwrap_or_else(|| id.clone());
    Configuration { id, label, is_default: matches!(attribute(node, "default"), Some("true" | "1")) }
}

fn licence(node: Node<'_, '_>) -> Option<String> {
    let child = elements(node).find(|child| child.has_tag_name_of("License"))?;
    let text: String = child.descendants().filter(Node::is_text).filter_map(|inner| inner.text()).collect();
    // Its lines are its maker's; what is around them is the file's.
    let plain = |line: &str| line.trim().chars().filter(|letter| !letter.is_control()).collect::<String>();
    let lines: Vec<String> = text.lines().map(plain).collect();
    some(lines.join("\n").trim().chars().take(LONGEST_LICENCE).collect())
}

/// A unit in bytes, as `byte * 2^20`, `MegaBytes` or `GB`; `usual` where there is none.
pub fn unit(words: &str, usual: u64) -> Option<u64> {
    let words = words.to_ascii_lowercase().replace(' ', "");
    let factor = |words: &str| -> Option<u64> {
        match words.split_once('^') {
            Some((base, power)) => base.parse::<u64>().ok()?.checked_pow(power.parse().ok()?),
            None => words.parse().ok(),
        }
    };
    if let Some(factors) = words.strip_prefix("byte*").or_else(|| words.strip_prefix("bytes*")) {
        return factors.split('*').try_fold(1, |product: u64, one| product.checked_mul(factor(one)?));
    }
    // The short words are meant as programs use them, by 1024.
    match words.as_str() {
        "" => Some(usual),
        "byte" | "bytes" | "b" => Some(1),
        "kb" | "kib" | "kilobyte" | "kilobytes" => Some(1 << 10),
        "mb" | "mib" | "megabyte" | "megabytes" => Some(1 << 20),
        "gb" | "gib" | "gigabyte" | "gigabytes" => Some(1 << 30),
        "tb" | "tib" | "terabyte" | "terabytes" => Some(1 << 40),
        _ => None,
    }
}

/// What a kind of device is called.
fn kind_name(kind: u32) -> &'static str {
    match kind {
        3 => "CPUs",
        4 => "memory",
        5 => "IDE controller",
        6 => "SCSI controller",
        10 => "network card",
        14 => "floppy drive",
        15 | 16 => "optical drive",
        17 => "disk",
        20 => "storage controller",
        21 => "serial port",
        22 => "parallel port",
        23 => "USB controller",
        24 => "graphics",
        35 => "sound card",
        _ => "device",
    }
}

/// What an element is: its name, or where that is only `Section` or `Content`, its type.
fn kind<'a>(node: Node<'a, '_>) -> &'a str {
    let name = node.tag_name().name();
    if !["Section", "Content"].contains(&name) {
        return name;
    }
    let kind = attribute(node, "type").unwrap_or(name);
    let kind = kind.rsplit(':').next().unwrap_or(kind);
    kind.strip_suffix("_Type").unwrap_or(kind)
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(node).filter(move |child| child.has_tag_name_of(name))
}

/// An attribute, in whatever name space.
fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attributes().find(|attribute| attribute.name() == name).map(|attribute| attribute.value())
}

fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    let child = elements(node).find(|child| child.has_tag_name_of(name))?;
    some(text_of(child))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// An element on one line.
fn shown(node: Node<'_, '_>) -> String {
    let attributes = node.attributes().map(|one| format!(" {}='{}'", one.name(), one.value()));
    let tag = format!("<{}{}>", node.tag_name().name(), attributes.collect::<String>());
    let text = match text_of(node) {
        text if text.is_empty() => child_text(node, "Info").or_else(|| child_text(node, "Label")),
        text => Some(text),
    };
    [Some(tag), text].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The name of an element, in whatever name space.
trait HasName {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl HasName for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_bytes() {
        for (words, expected) in [
            ("byte * 2^20", Some(1 << 20)),
            ("byte*2^30", Some(1 << 30)),
            ("byte * 1024 * 2^10", Some(1 << 20)),
            ("byte * 10^6", Some(1_000_000)),
            ("MegaBytes", Some(1 << 20)),
            ("GB", Some(1 << 30)),
            ("", Some(7)),
            ("byte * 2^99", None),
            ("hertz * 10^6", None),
            ("furlongs", None),
        ] {
            assert_eq!(unit(words, 7), expected, "{words}");
        }
    }

    #[test]
    fn what_is_no_description_is_refused() {
        let nothing = read("<Envelope/>").unwrap_err();
        assert!(nothing.contains("no machine"), "{nothing}");
        assert!(read("<domain/>").is_err());
        assert!(read("<Envelope>").is_err());
        let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]><Envelope>&c;</Envelope>";
        assert!(read(bomb).is_err());
        let many = format!("<Envelope>{}</Envelope>", "<x/>".repeat(60_000));
        assert!(read(&many).unwrap_err().contains("no XML"));
    }
}
