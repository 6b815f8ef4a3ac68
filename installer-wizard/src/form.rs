//! The one form of the Review page: what was typed, whether it can be, and what is asked of the core.
//!
//! What a person has put in is never changed by anything but that person. Pure.

use crate::answers::{ANSWERS, Answer, AnswersForm, Asker};
use crate::defaults::{Defaults, Limits};
use crate::sizes;
use hv_api::{ByteSize, NameFault, NewGuest, Recommended, SizeError};
use virt_kit::words::FirmwareKind;

/// The most characters that a name may have.
const LONGEST_NAME: usize = 64;

/// One value of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<T> {
    value: T,
    revision: u32,
    touched: bool,
}

impl<T: PartialEq> Field<T> {
    /// A value that nobody has put in.
    pub const fn new(value: T) -> Self {
        Self { value, revision: 0, touched: false }
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// Grows whenever the value was changed by anything else than the control that shows it: only then
    /// may the control be given the value, or it would take back what was typed in the meantime.
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// Takes what the control that shows it has now.
    pub fn typed(&mut self, value: T) {
        if self.value != value {
            self.value = value;
            self.touched = true;
        }
    }

    /// Takes what the person chose with another control.
    fn chosen(&mut self, value: T) {
        if self.value != value {
            self.value = value;
            self.touched = true;
            self.revision += 1;
        }
    }

    /// Takes a default, unless the person has put something in.
    pub fn propose(&mut self, value: T) {
        if !self.touched && self.value != value {
            self.value = value;
            self.revision += 1;
        }
    }
}

/// A row of the form, as something that an error can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// The name.
    Name,
    /// The operating system.
    System,
    /// The number of virtual CPUs.
    Cpus,
    /// The memory.
    Memory,
    /// The disk.
    Disk,
    /// The firmware.
    Firmware,
    /// The files that the medium builds on.
    Foundation,
    /// An answer to what the system on the medium would ask.
    Answer(Answer),
}

const FIXED_ROWS: [Row; 7] =
    [Row::Foundation, Row::Name, Row::System, Row::Cpus, Row::Memory, Row::Disk, Row::Firmware];

/// The rows in which a fault is looked for, from top to bottom.
pub fn rows() -> impl Iterator<Item = Row> {
    FIXED_ROWS.into_iter().chain(ANSWERS.map(Row::Answer))
}

/// What becomes of the guest's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskChoice {
    /// A new one is made, or none.
    Made,
    /// The medium is copied, and grows to the size that is wished.
    Grown,
    /// The source says what it is.
    Fixed,
}

/// What the source leaves to the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What becomes of the disk.
    pub disk: DiskChoice,
    /// Who would ask a person something.
    pub asker: Option<Asker>,
    /// True where the medium builds on other files, to which a person has to agree.
    pub builds_on_others: bool,
}

/// Why a value can't be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// The name can't be one.
    Name(NameFault),
    /// Another guest has the name.
    NameTaken,
    /// The host has fewer CPUs.
    CpusOutOfRange {
        /// The most there can be.
        maximum: u32,
    },
    /// A size without its unit.
    NoUnit,
    /// Not a size.
    NotASize,
    /// Nobody has agreed to the files that the medium builds on.
    NotAgreed,
    /// No login name.
    NoUser,
    /// No password, and nothing else that lets somebody in.
    NoPassword,
    /// The password was not typed twice in the same way.
    PasswordsDiffer,
    /// Less than possible.
    TooSmall {
        /// The least possible.
        minimum: ByteSize,
    },
    /// More than possible.
    TooLarge {
        /// The most possible.
        maximum: ByteSize,
    },
}

/// What is possible, but should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caution {
    /// Less memory is free at this moment.
    MemoryShort {
        /// What is free.
        free: ByteSize,
    },
    /// Less than the system on the medium is said to need.
    BelowRecommended {
        /// What is recommended.
        recommended: ByteSize,
    },
    /// The medium may hold one of several systems, and nobody has said which.
    SystemUnclear,
    /// The disk could grow beyond what is free on the host.
    SpaceShort {
        /// What is free.
        free: ByteSize,
    },
}

/// One change by the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The name as typed.
    Name(String),
    /// The operating system's short id; nothing for what the medium says.
    System(Option<String>),
    /// The number of virtual CPUs.
    Cpus(u32),
    /// The memory as typed.
    Memory(String),
    /// The memory as chosen on the scale.
    MemoryScale(ByteSize),
    /// The disk's size as typed.
    Disk(String),
    /// True for no disk at all.
    NoDisk(bool),
    /// The firmware; nothing for what the medium needs.
    Firmware(Option<FirmwareKind>),
    /// True to agree to the files that the medium builds on.
    Agree(bool),
    /// True where the system's questions are answered beforehand.
    Answers(bool),
    /// One of those answers.
    Answer(Answer, String),
    /// True for a network card.
    Network(bool),
    /// True to start the guest when it is made.
    Start(bool),
}

impl Edit {
    /// The row that it changes.
    pub const fn row(&self) -> Option<Row> {
        match self {
            Self::Name(_) => Some(Row::Name),
            Self::System(_) => Some(Row::System),
            Self::Cpus(_) => Some(Row::Cpus),
            Self::Memory(_) | Self::MemoryScale(_) => Some(Row::Memory),
            Self::Disk(_) | Self::NoDisk(_) => Some(Row::Disk),
            Self::Firmware(_) => Some(Row::Firmware),
            Self::Agree(_) => Some(Row::Foundation),
            Self::Answer(answer, _) => Some(Row::Answer(*answer)),
            Self::Answers(_) | Self::Network(_) | Self::Start(_) => None,
        }
    }
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The name as typed.
    pub name: Field<String>,
    /// The operating system's short id; nothing for what the medium says.
    pub system: Field<Option<String>>,
    /// Virtual CPUs.
    pub cpus: Field<u32>,
    /// The memory as typed.
    pub memory: Field<String>,
    /// The disk's size as typed; kept while there shall be none.
    pub disk: Field<String>,
    /// No disk at all.
    pub no_disk: Field<bool>,
    /// The firmware; nothing for what the medium needs.
    pub firmware: Field<Option<FirmwareKind>>,
    /// Whether the person has agreed to the files that the medium builds on.
    pub agreed: Field<bool>,
    /// Answers to what the system would ask.
    pub answers: AnswersForm,
    /// A network card.
    pub network: Field<bool>,
    /// Start it when it is made.
    pub start: Field<bool>,
    /// What suits the medium.
    pub recommended: Recommended,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            name: Field::new(String::new()),
            system: Field::new(None),
            cpus: Field::new(1),
            memory: Field::new(String::new()),
            disk: Field::new(String::new()),
            no_disk: Field::new(false),
            firmware: Field::new(None),
            agreed: Field::new(false),
            answers: AnswersForm::default(),
            network: Field::new(true),
            start: Field::new(true),
            recommended: Recommended { cpus: 1, memory: ByteSize::GIB, disk: ByteSize::GIB },
        }
    }
}

impl Form {
    /// Takes defaults for all that the person has not put in.
    pub fn propose(&mut self, defaults: Defaults) {
        let Defaults { name, recommended } = defaults;
        self.name.propose(name);
        self.cpus.propose(recommended.cpus);
        self.memory.propose(sizes::exact(recommended.memory));
        self.disk.propose(sizes::exact(recommended.disk));
        self.recommended = recommended;
    }

    /// Forgets which system was chosen, and what was agreed to: that was for another medium.
    pub fn forget_medium(&mut self) {
        let revision = self.agreed.revision + 1;
        self.agreed = Field { revision, ..Field::new(false) };
        let revision = self.system.revision + 1;
        self.system = Field { revision, ..Field::new(None) };
    }

    /// Takes one change by the person.
    pub fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Name(text) => self.name.typed(text),
            Edit::System(system) => self.system.typed(system),
            Edit::Cpus(count) => self.cpus.typed(count),
            Edit::Memory(text) => self.memory.typed(text),
            Edit::MemoryScale(size) => self.memory.chosen(sizes::exact(size)),
            Edit::Disk(text) => self.disk.typed(text),
            Edit::NoDisk(none) => self.no_disk.typed(none),
            Edit::Firmware(kind) => self.firmware.typed(kind),
            Edit::Agree(agreed) => self.agreed.typed(agreed),
            Edit::Answers(on) => self.answers.on.typed(on),
            Edit::Answer(answer, text) => self.answers.typed(answer, text),
            Edit::Network(network) => self.network.typed(network),
            Edit::Start(start) => self.start.typed(start),
        }
    }

    /// The memory, where what was typed is a size.
    pub fn memory_size(&self) -> Option<ByteSize> {
        sizes::parse(self.memory.get()).ok().map(sizes::whole_mib)
    }

    /// What is wrong with a row.
    pub fn fault(&self, row: Row, limits: &Limits, taken: &[String], open: Open) -> Option<Invalid> {
        match row {
            Row::Name => name_fault(self.name.get(), taken),
            Row::Cpus => (!limits.cpus.contains(self.cpus.get()))
                .then_some(Invalid::CpusOutOfRange { maximum: *limits.cpus.end() }),
            Row::Memory => size_fault(self.memory.get(), *limits.memory.start(), *limits.memory.end()),
            Row::Disk if self.has_size(open) => {
                size_fault(self.disk.get(), *limits.disk.start(), *limits.disk.end())
            }
            // Only what the host has is offered.
            Row::Disk | Row::Firmware | Row::System => None,
            Row::Foundation => (open.builds_on_others && !self.agreed.get()).then_some(Invalid::NotAgreed),
            Row::Answer(answer) => self.answers.fault(answer, open.asker),
        }
    }

    /// What should be known about a row in which nothing is wrong.
    pub fn caution(&self, row: Row, limits: &Limits, open: Open) -> Option<Caution> {
        match row {
            Row::Memory => {
                let size = self.memory_size()?;
                let short = limits.memory_free.filter(|free| size > *free);
                let recommended = self.recommended.memory;
                short
                    .map(|free| Caution::MemoryShort { free })
                    .or((size < recommended).then_some(Caution::BelowRecommended { recommended }))
            }
            Row::Disk if self.has_size(open) => {
                let size = sizes::parse(self.disk.get()).ok()?;
                limits.space_free.filter(|free| size > *free).map(|free| Caution::SpaceShort { free })
            }
            Row::Name
            | Row::System
            | Row::Cpus
            | Row::Disk
            | Row::Firmware
            | Row::Foundation
            | Row::Answer(_) => None,
        }
    }

    /// Whether the disk has the size that the form says.
    fn has_size(&self, open: Open) -> bool {
        match open.disk {
            DiskChoice::Made => !self.no_disk.get(),
            DiskChoice::Grown => true,
            DiskChoice::Fixed => false,
        }
    }

    /// The wish for the core, without the medium; nothing where a value is not possible.
    pub fn wish(&self, limits: &Limits, taken: &[String], open: Open) -> Option<NewGuest> {
        if rows().any(|row| self.fault(row, limits, taken, open).is_some()) {
            return None;
        }
        let disk = if self.has_size(open) {
            Some(sizes::parse(self.disk.get()).ok().map(sizes::whole_mib)?)
        } else {
            None
        };
        let mut wish = NewGuest {
            name: self.name.get().trim().to_owned(),
            cpus: Some(*self.cpus.get()),
            memory: Some(self.memory_size()?),
            disk,
            no_disk: (open.disk == DiskChoice::Made && disk.is_none()).then_some(true),
            firmware: self.firmware.get().map(|(kind, _)| kind),
            secure_boot: self.firmware.get().map(|(_, signed_only)| signed_only),
            network: Some(*self.network.get()),
            start: Some(*self.start.get()),
            ..NewGuest::default()
        };
        self.answers.give(open.asker, &mut wish);
        Some(wish)
    }
}

/// Blanks at the ends are not a fault: they are there while the next word is being typed, and are left
/// out of the name.
fn name_fault(text: &str, taken: &[String]) -> Option<Invalid> {
    let name = text.trim();
    if name.is_empty() {
        return Some(Invalid::Name(NameFault::Empty));
    }
    if name.chars().count() > LONGEST_NAME {
        return Some(Invalid::Name(NameFault::TooLong));
    }
    if name.starts_with('.') || name.chars().any(|c| c == '/' || c.is_control()) {
        return Some(Invalid::Name(NameFault::BadCharacter));
    }
    taken.iter().any(|other| other == name).then_some(Invalid::NameTaken)
}

fn size_fault(text: &str, minimum: ByteSize, maximum: ByteSize) -> Option<Invalid> {
    match sizes::parse(text) {
        Err(SizeError::NoUnit(_)) => Some(Invalid::NoUnit),
        Err(SizeError::Malformed(_)) => Some(Invalid::NotASize),
        Ok(size) if size < minimum => Some(Invalid::TooSmall { minimum }),
        Ok(size) if sizes::whole_mib(size) > maximum => Some(Invalid::TooLarge { maximum }),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::tests::host;
    use hv_api::Firmware;

    const MADE: Open = Open { disk: DiskChoice::Made, asker: None, builds_on_others: false };
    const FIXED: Open = Open { disk: DiskChoice::Fixed, asker: None, builds_on_others: false };

    fn filled() -> Form {
        let mut form = Form::default();
        form.propose(Defaults {
            name: "Debian".into(),
            recommended: Recommended { cpus: 2, memory: ByteSize::gib(2), disk: ByteSize::gib(20) },
        });
        form
    }

    fn limits() -> Limits {
        Limits::of(&host(4, ByteSize::gib(8)))
    }

    #[test]
    fn names_are_judged_as_the_core_does() {
        let taken = ["Debian".to_owned()];
        let table = [
            ("", Some(Invalid::Name(NameFault::Empty))),
            ("   ", Some(Invalid::Name(NameFault::Empty))),
            ("Debian", Some(Invalid::NameTaken)),
            ("Debian ", Some(Invalid::NameTaken)),
            ("Debian 12", None),
            ("Fedora ", None),
            (".hidden", Some(Invalid::Name(NameFault::BadCharacter))),
            ("a/b", Some(Invalid::Name(NameFault::BadCharacter))),
            ("a\u{7}b", Some(Invalid::Name(NameFault::BadCharacter))),
            ("…und „so“", None),
        ];
        for (name, fault) in table {
            assert_eq!(name_fault(name, &taken), fault, "{name:?}");
        }
        assert_eq!(name_fault(&"ä".repeat(64), &[]), None);
        assert_eq!(name_fault(&"ä".repeat(65), &[]), Some(Invalid::Name(NameFault::TooLong)));
    }

    #[test]
    fn defaults_never_replace_what_was_put_in() {
        let mut form = filled();
        form.edit(Edit::Name("Mine".into()));
        form.edit(Edit::MemoryScale(ByteSize::gib(3)));
        form.propose(Defaults {
            name: "Fedora".into(),
            recommended: Recommended { cpus: 4, memory: ByteSize::gib(4), disk: ByteSize::gib(40) },
        });
        assert_eq!(form.name.get(), "Mine");
        assert_eq!(form.memory.get(), "3 GiB");
        assert_eq!(*form.cpus.get(), 4);
        assert_eq!(form.disk.get(), "40 GiB");
    }

    #[test]
    fn only_other_hands_make_a_control_take_a_value() {
        let mut form = filled();
        let before = form.memory.revision();
        form.edit(Edit::Memory("3 G".into()));
        assert_eq!(form.memory.revision(), before, "the entry has it already");
        form.edit(Edit::MemoryScale(ByteSize::gib(4)));
        assert!(form.memory.revision() > before, "the entry must follow the scale");
    }

    #[test]
    fn the_wish_says_what_the_form_says() {
        let mut form = filled();
        form.edit(Edit::Name(" Debian 12 ".into()));
        form.edit(Edit::Start(false));
        let wish = form.wish(&limits(), &[], MADE).unwrap();
        assert_eq!(wish.name, "Debian 12");
        assert_eq!(
            (wish.cpus, wish.memory, wish.disk),
            (Some(2), Some(ByteSize::gib(2)), Some(ByteSize::gib(20)))
        );
        assert_eq!((wish.no_disk, wish.network, wish.start), (None, Some(true), Some(false)));
        assert_eq!((wish.firmware, wish.secure_boot), (None, None), "what the medium needs");
        form.edit(Edit::Firmware(Some((Firmware::Uefi, true))));
        let wish = form.wish(&limits(), &[], MADE).unwrap();
        assert_eq!((wish.firmware, wish.secure_boot), (Some(Firmware::Uefi), Some(true)));
    }

    #[test]
    fn without_a_disk_its_size_does_not_matter() {
        let mut form = filled();
        form.edit(Edit::Disk("much".into()));
        assert_eq!(form.wish(&limits(), &[], MADE), None);
        let image = form.wish(&limits(), &[], FIXED).unwrap();
        assert_eq!((image.disk, image.no_disk), (None, None), "the image is the disk");
        form.edit(Edit::NoDisk(true));
        let wish = form.wish(&limits(), &[], MADE).unwrap();
        assert_eq!((wish.disk, wish.no_disk), (None, Some(true)));
        form.edit(Edit::NoDisk(false));
        assert_eq!(form.disk.get(), "much", "what was typed is still there");
    }

    #[test]
    fn cautions_do_not_forbid() {
        let mut form = filled();
        form.edit(Edit::Memory("6 GiB".into()));
        form.edit(Edit::Disk("100 GiB".into()));
        assert_eq!(
            form.caution(Row::Memory, &limits(), MADE),
            Some(Caution::MemoryShort { free: ByteSize::gib(4) })
        );
        assert_eq!(
            form.caution(Row::Disk, &limits(), MADE),
            Some(Caution::SpaceShort { free: ByteSize::gib(30) })
        );
        assert!(form.wish(&limits(), &[], MADE).is_some());
        form.edit(Edit::Memory("512 MiB".into()));
        assert_eq!(
            form.caution(Row::Memory, &limits(), MADE),
            Some(Caution::BelowRecommended { recommended: ByteSize::gib(2) })
        );
    }
}
