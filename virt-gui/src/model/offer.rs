//! A device of this computer's that a guest could be given, of whatever kind.

/// The offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer<D> {
    /// Which it is.
    pub device: D,
    /// What it is called.
    pub title: String,
    /// What it is for and where it is, or why it can't be given.
    pub subtitle: String,
    /// The name of its icon.
    pub icon: &'static str,
    /// Whether it can be given now.
    pub possible: bool,
    /// When the guest has it, where that is not the same for all.
    pub when: Option<String>,
    /// What to do so that it can, where that is to be written somewhere else than here.
    pub remedy: Option<String>,
    /// What else is in the way, in the order in which it is to be removed, where that is not in the subtitle.
    pub steps: Vec<Step>,
}

/// Something that is in the way of giving a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}
