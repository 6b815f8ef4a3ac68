//! Appliances, as programs hand them on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An appliance in the making: a machine with disks, and the files that belong to it.
#[derive(Debug, Default)]
pub struct Ova {
    files: Vec<(String, Vec<u8>)>,
    /// What else the machine's hardware has, in XML.
    pub hardware: String,
    /// Its system, as VirtualBox names it.
    pub system: &'static str,
}

impl Ova {
    /// One without disks.
    pub fn new() -> Self {
        Self { system: "Debian12_64", ..Self::default() }
    }

    /// Adds a disk: the content of a file.
    pub fn disk(&mut self, name: &str, content: &Path) {
        self.files.push((name.to_owned(), fs::read(content).expect("a disk's content")));
    }

    /// Its description.
    pub fn description(&self) -> String {
        let each = |form: &dyn Fn(usize, &str) -> String| {
            self.files.iter().enumerate().map(|(number, (name, _))| form(number, name)).collect::<String>()
        };
        let files = each(&|number, name| format!("<File ovf:id='file{number}' ovf:href='{name}'/>"));
        let disks = each(&|number, _| {
            format!("<Disk ovf:diskId='disk{number}' ovf:fileRef='file{number}' ovf:capacity='3145728'/>")
        });
        let items = each(&|number, _| {
            format!(
                "<Item><rasd:AddressOnParent>{number}</rasd:AddressOnParent><rasd:ElementName>disk {number}</rasd:ElementName>\
                 <rasd:HostResource>ovf:/disk/disk{number}</rasd:HostResource><rasd:InstanceID>1{number}</rasd:InstanceID>\
                 <rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>"
            )
        });
        format!(
            "<?xml version='1.0'?><Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' \
             xmlns:ovf='http://schemas.dmtf.org/ovf/envelope/1' \
             xmlns:rasd='http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData' \
             xmlns:vbox='http://www.virtualbox.org/ovf/machine'>\
             <References>{files}</References><DiskSection><Info>Disks</Info>{disks}</DiskSection>\
             <VirtualSystem ovf:id='machine'><Info>A machine</Info><Name>handed on</Name>\
             <OperatingSystemSection ovf:id='96'><Info>System</Info><vbox:OSType>{}</vbox:OSType></OperatingSystemSection>\
             <VirtualHardwareSection><Info>Hardware</Info>\
             <Item><rasd:ElementName>1 CPU</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID>\
             <rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>\
             <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName>\
             <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>64</rasd:VirtualQuantity></Item>\
             <Item><rasd:ElementName>SATA</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>\
             <rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>{items}{}\
             </VirtualHardwareSection></VirtualSystem></Envelope>",
            self.system, self.hardware
        )
    }

    /// Its manifest, as the system's own programs make the digests: `sha256` or another one.
    pub fn manifest(&self, algorithm: &str, folder: &Path) -> String {
        let description = ("machine.ovf".to_owned(), self.description().into_bytes());
        let all = std::iter::once(&description).chain(&self.files);
        let lines = all.map(|(name, content)| {
            let file = folder.join("digested");
            fs::write(&file, content).expect("a file");
            let told = Command::new(format!("{algorithm}sum")).arg(&file).output().expect("coreutils").stdout;
            let told = String::from_utf8(told).expect("text");
            let digest = told.split_whitespace().next().expect("a digest");
            format!("{}({name})= {digest}\n", algorithm.to_uppercase())
        });
        lines.collect()
    }

    /// Writes it as one file, with a manifest where there is one.
    pub fn write(&self, path: &Path, manifest: Option<&str>) {
        let mut archive = entry("machine.ovf", self.description().as_bytes());
        if let Some(manifest) = manifest {
            archive.extend(entry("machine.mf", manifest.as_bytes()));
        }
        archive.extend(self.files.iter().flat_map(|(name, content)| entry(name, content)));
        archive.extend([0; 1024]);
        fs::write(path, archive).expect("an archive");
    }

    /// Writes it into a folder, and returns the description's path.
    pub fn write_beside(&self, folder: &Path, manifest: Option<&str>) -> PathBuf {
        fs::create_dir_all(folder).expect("a folder");
        for (name, content) in &self.files {
            fs::write(folder.join(name), content).expect("a file");
        }
        if let Some(manifest) = manifest {
            fs::write(folder.join("machine.mf"), manifest).expect("a file");
        }
        let path = folder.join("machine.ovf");
        fs::write(&path, self.description()).expect("a file");
        path
    }
}

/// A file as it is in an archive.
pub fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut entry = header(name, content.len() as u64);
    entry.extend(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// The header of a file in an archive that claims to be so long.
pub fn header(name: &str, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    if size < 8 << 30 {
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    } else {
        header[124] = 0x80;
        header[128..136].copy_from_slice(&size.to_be_bytes());
    }
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}
