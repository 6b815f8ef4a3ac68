//! Windows' answer file, for a disc in any drive.

use super::Answers;
use crate::seed::SeedFile;
use hv_api::Firmware;
use std::fmt::Write as _;

/// `Autounattend.xml`. With BIOS firmware the disk gets an MBR, with UEFI a GPT. `newest` is whether it is Windows 11,
/// whose checks of the machine are passed over.
///
/// The time zone is left to Windows: its names for them are its own.
pub fn unattend(answers: &Answers, firmware: Firmware, newest: bool) -> Vec<SeedFile> {
    let language = answers.language.replace('_', "-");
    let (user, full_name, host) =
        (escaped(&answers.user), escaped(&answers.full_name), escaped(&answers.host_name));
    let password = escaped(answers.password());
    let (disk, partition) = match firmware {
        Firmware::Bios => (BIOS, 2),
        Firmware::Uefi => (UEFI, 3),
    };
    let checks = if newest { checks() } else { String::new() };
    let component = |name: &str| {
        format!(
            "<component name=\"{name}\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" \
             language=\"neutral\" versionScope=\"nonSxS\">"
        )
    };
    let file = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
  <settings pass="windowsPE">
    {international_pe}
      <SetupUILanguage><UILanguage>{language}</UILanguage></SetupUILanguage>
      <InputLocale>{language}</InputLocale>
      <SystemLocale>{language}</SystemLocale>
      <UILanguage>{language}</UILanguage>
      <UserLocale>{language}</UserLocale>
    </component>
    {setup}
{checks}      <DiskConfiguration>
        <Disk wcm:action="add">
          <DiskID>0</DiskID>
          <WillWipeDisk>true</WillWipeDisk>
{disk}        </Disk>
      </DiskConfiguration>
      <ImageInstall>
        <OSImage>
          <InstallFrom>
            <MetaData wcm:action="add"><Key>/IMAGE/INDEX</Key><Value>1</Value></MetaData>
          </InstallFrom>
          <InstallTo><DiskID>0</DiskID><PartitionID>{partition}</PartitionID></InstallTo>
        </OSImage>
      </ImageInstall>
      <UserData>
        <AcceptEula>true</AcceptEula>
        <FullName>{full_name}</FullName>
        <ProductKey><WillShowUI>OnError</WillShowUI></ProductKey>
      </UserData>
    </component>
  </settings>
  <settings pass="specialize">
    {shell}
      <ComputerName>{host}</ComputerName>
    </component>
  </settings>
  <settings pass="oobeSystem">
    {international}
      <InputLocale>{language}</InputLocale>
      <SystemLocale>{language}</SystemLocale>
      <UILanguage>{language}</UILanguage>
      <UserLocale>{language}</UserLocale>
    </component>
    {shell}
      <OOBE>
        <HideEULAPage>true</HideEULAPage>
        <HideOEMRegistrationScreen>true</HideOEMRegistrationScreen>
        <HideOnlineAccountScreens>true</HideOnlineAccountScreens>
        <HideWirelessSetupInOOBE>true</HideWirelessSetupInOOBE>
        <ProtectYourPC>3</ProtectYourPC>
      </OOBE>
      <UserAccounts>
        <LocalAccounts>
          <LocalAccount wcm:action="add">
            <Name>{user}</Name>
            <DisplayName>{full_name}</DisplayName>
            <Group>Administrators</Group>
            <Password><Value>{password}</Value><PlainText>false</PlainText></Password>
          </LocalAccount>
        </LocalAccounts>
      </UserAccounts>
    </component>
  </settings>
</unattend>
"#,
        international_pe = component("Microsoft-Windows-International-Core-WinPE"),
        setup = component("Microsoft-Windows-Setup"),
        shell = component("Microsoft-Windows-Shell-Setup"),
        international = component("Microsoft-Windows-International-Core"),
    );
    vec![SeedFile::new("Autounattend.xml", file)]
}

const BIOS: &str = r#"          <CreatePartitions>
            <CreatePartition wcm:action="add"><Order>1</Order><Type>Primary</Type><Size>100</Size></CreatePartition>
            <CreatePartition wcm:action="add"><Order>2</Order><Type>Primary</Type><Extend>true</Extend></CreatePartition>
          </CreatePartitions>
          <ModifyPartitions>
            <ModifyPartition wcm:action="add"><Order>1</Order><PartitionID>1</PartitionID><Format>NTFS</Format><Active>true</Active></ModifyPartition>
            <ModifyPartition wcm:action="add"><Order>2</Order><PartitionID>2</PartitionID><Format>NTFS</Format><Letter>C</Letter></ModifyPartition>
          </ModifyPartitions>
"#;

const UEFI: &str = r#"          <CreatePartitions>
            <CreatePartition wcm:action="add"><Order>1</Order><Type>EFI</Type><Size>100</Size></CreatePartition>
            <CreatePartition wcm:action="add"><Order>2</Order><Type>MSR</Type><Size>16</Size></CreatePartition>
            <CreatePartition wcm:action="add"><Order>3</Order><Type>Primary</Type><Extend>true</Extend></CreatePartition>
          </CreatePartitions>
          <ModifyPartitions>
            <ModifyPartition wcm:action="add"><Order>1</Order><PartitionID>1</PartitionID><Format>FAT32</Format></ModifyPartition>
            <ModifyPartition wcm:action="add"><Order>2</Order><PartitionID>2</PartitionID></ModifyPartition>
            <ModifyPartition wcm:action="add"><Order>3</Order><PartitionID>3</PartitionID><Format>NTFS</Format><Letter>C</Letter></ModifyPartition>
          </ModifyPartitions>
"#;

/// Tells the setup of Windows 11 not to look at the machine.
fn checks() -> String {
    let names = ["BypassTPMCheck", "BypassSecureBootCheck", "BypassRAMCheck", "BypassCPUCheck"];
    let mut commands = String::new();
    for (number, name) in names.into_iter().enumerate() {
        // Writing into memory does not fail.
        let _never = writeln!(
            commands,
            "        <RunSynchronousCommand wcm:action=\"add\"><Order>{}</Order>\
             <Path>reg add HKLM\\SYSTEM\\Setup\\LabConfig /v {name} /t REG_DWORD /d 1 /f</Path>\
             </RunSynchronousCommand>",
            number + 1
        );
    }
    format!("      <RunSynchronous>\n{commands}      </RunSynchronous>\n")
}

/// Text within an element of XML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}
