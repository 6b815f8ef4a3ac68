//! One row of the list: its words, its place, and whether it is what somebody searches.

use super::power::{PowerAction, beside_row};
use super::{install, state};
use hv_api::{GuestId, GuestInfo, GuestState, JobInfo, JobKind, Library, problem};
use std::cmp::Ordering;
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};

/// What a row shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The guest, or the guest to be.
    pub id: GuestId,
    /// Its name.
    pub name: String,
    /// Its state; nothing while it is being made.
    pub state: Option<GuestState>,
    /// The state as a word.
    pub word: String,
    /// What it has, or how far its making is.
    pub more: String,
    /// The name of its icon.
    pub icon: &'static str,
    /// The button beside it.
    pub power: Option<PowerAction>,
    folded: String,
    haystack: String,
}

impl Row {
    fn of_guest(guest: &GuestInfo, job: Option<&JobInfo>) -> Self {
        let more = match (guest.state, job) {
            (GuestState::Unavailable, _) => gettext("Its definition can't be read"),
            (GuestState::Saving | GuestState::Starting, Some(job)) => progress(job),
            // What has no state of its own.
            (_, Some(job)) if !matches!(job.kind, JobKind::Save | JobKind::Restore) => stage(job),
            _ => match &guest.room {
                // Translators: why a guest stands still, as in "The host’s disk is full, 80 MiB are needed".
                Some(room) => gettext_f(
                    "The host’s disk is full, {size} are needed",
                    &[("size", &room.needed.to_string())],
                ),
                None => state::resources(guest),
            },
        };
        Self::new(
            guest.id,
            &guest.name,
            Some(guest.state),
            install::word(guest),
            more,
            guest.os.as_deref().unwrap_or_default(),
        )
    }

    fn of_job(job: &JobInfo) -> Self {
        Self::new(job.guest, &job.guest_name, None, gettext("Being made"), stage(job), "")
    }

    fn new(id: GuestId, name: &str, state: Option<GuestState>, word: String, more: String, os: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            icon: state.map_or("content-loading-symbolic", state::icon),
            power: state.and_then(beside_row),
            state,
            folded: name.to_lowercase(),
            haystack: format!("{name}\n{os}\n{word}").to_lowercase(),
            word,
            more,
        }
    }

    /// The row of this guest, or of the job that makes it; nothing where there is neither.
    pub fn find(library: &Library, id: GuestId) -> Option<Self> {
        let job = library.jobs().find(|job| job.guest == id);
        library.guest(id).map(|guest| Self::of_guest(guest, job)).or_else(|| job.map(Self::of_job))
    }

    /// The rows of all guests and of those being made, in no order.
    pub fn all(library: &Library) -> Vec<Self> {
        let made = library.jobs().filter(|job| library.guest(job.guest).is_none()).map(Self::of_job);
        let job = |guest: &GuestInfo| library.jobs().find(|job| job.guest == guest.id);
        library.guests().map(|guest| Self::of_guest(guest, job(guest))).chain(made).collect()
    }

    /// The state and what it has, in one line.
    pub fn subtitle(&self) -> String {
        // Translators: a guest's state and resources, as in "Running · 2 CPUs · 4 GiB".
        gettext_f("{state} · {more}", &[("state", &self.word), ("more", &self.more)])
    }

    /// What a screen reader says of the row.
    pub fn spoken(&self) -> String {
        format!("{}, {}, {}", self.name, self.word, self.more)
    }

    /// The place in the list: by name as people count (`vm2` before `vm10`), then by identity.
    pub fn order(&self, other: &Self) -> Ordering {
        natural_order(&self.folded, &other.folded).then_with(|| self.id.cmp(&other.id))
    }

    /// True where every word of a search is in the name, the operating system or the state.
    pub fn matches(&self, search: &Search) -> bool {
        search.words.iter().all(|word| self.haystack.contains(word.as_str()))
    }
}

/// What a job does, and how far it has come.
fn stage(job: &JobInfo) -> String {
    let stage = problem::stage_word(job.stage, &|text| gettext(text));
    // Translators: what is done and how far that has come, as in "Making the disk · 43 %".
    gettext_f("{stage} · {progress}", &[("stage", &stage), ("progress", &progress(job))])
}

/// How far a job has come: `43 %`.
pub fn progress(job: &JobInfo) -> String {
    let percent = format!("{:.0}", job.progress.clamp(0.0, 1.0) * 100.0);
    // Translators: a part of the whole, as in "43 %".
    gettext_f("{percent} %", &[("percent", &percent)])
}

/// What somebody searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    words: Vec<String>,
}

impl Search {
    /// Takes the words of a text.
    pub fn new(text: &str) -> Self {
        Self { words: text.to_lowercase().split_whitespace().map(str::to_owned).collect() }
    }

    /// True where nothing is searched, so that everything is found.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// `4 guests · 1 running`, for the foot of the list.
pub fn summary(library: &Library) -> String {
    let all = library.guests().len();
    let running = library.guests().filter(|guest| state::has_machine(guest.state)).count();
    let guests = ngettext_f("{count} guest", "{count} guests", all, &[("count", &all.to_string())]);
    if running == 0 {
        return guests;
    }
    let running =
        ngettext_f("{count} running", "{count} running", running, &[("count", &running.to_string())]);
    // Translators: as in "4 guests · 1 running".
    gettext_f("{guests} · {running}", &[("guests", &guests), ("running", &running)])
}

/// Compares texts so that runs of digits count as numbers.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (a, b) = (next_piece(left), next_piece(right));
        let order = match (a, b) {
            ("", "") => return Ordering::Equal,
            (a, b) if starts_with_digit(a) && starts_with_digit(b) => {
                let (number_a, number_b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                number_a
                    .len()
                    .cmp(&number_b.len())
                    .then_with(|| number_a.cmp(number_b))
                    .then_with(|| a.cmp(b))
            }
            (a, b) => a.cmp(b),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[a.len()..], &right[b.len()..]);
    }
}

/// The run of digits or of other characters at the beginning.
fn next_piece(text: &str) -> &str {
    let digits = starts_with_digit(text);
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    &text[..end]
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(name: &str) -> Row {
        Row::new(
            GuestId::random(),
            name,
            Some(GuestState::Running),
            "Running".into(),
            String::new(),
            "debian12",
        )
    }

    #[test]
    fn names_are_ordered_as_people_count() {
        let mut names: Vec<Row> =
            ["vm10", "VM2", "alpha", "vm2b", "Zeta", "vm"].iter().map(|name| named(name)).collect();
        names.sort_by(Row::order);
        let names: Vec<&str> = names.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["alpha", "vm", "VM2", "vm2b", "vm10", "Zeta"]);
    }

    #[test]
    fn a_search_finds_by_name_system_and_state() {
        let row = named("Web Server");
        for found in ["", "  ", "web", "SERVER web", "debian", "running server"] {
            assert!(row.matches(&Search::new(found)), "{found}");
        }
        for missed in ["mail", "web mail", "windows"] {
            assert!(!row.matches(&Search::new(missed)), "{missed}");
        }
    }

    #[test]
    fn a_guest_that_is_saved_says_how_far_that_is() {
        let guest = crate::testing::guest("web", GuestState::Saving);
        let job = JobInfo {
            id: hv_api::JobId(1),
            kind: JobKind::Save,
            guest: guest.id,
            guest_name: guest.name.clone(),
            state: hv_api::JobState::Running,
            stage: hv_api::JobStage::Saving,
            progress: 0.604,
            done: None,
            total: None,
        };
        assert_eq!(Row::of_guest(&guest, Some(&job)).subtitle(), "Saving · 60 %");
        let running = crate::testing::guest("web", GuestState::Running);
        assert_eq!(Row::of_guest(&running, Some(&job)).more, state::resources(&running));
    }

    #[test]
    fn a_guest_that_waits_for_room_on_the_host_says_how_much() {
        let mut guest = crate::testing::guest("web", GuestState::Paused);
        assert_eq!(Row::of_guest(&guest, None).more, state::resources(&guest));
        guest.reason = Some(hv_api::StateReason::DiskFull);
        guest.room = Some(hv_api::HostRoom { needed: hv_api::ByteSize::mib(80), ..Default::default() });
        assert_eq!(
            Row::of_guest(&guest, None).subtitle(),
            "Paused · The host’s disk is full, 80 MiB are needed"
        );
        // In full, where the guest is looked at.
        let told = virt_kit::problem::Problem::of_guest(&guest).expect("it says why");
        assert!(told.remedy.starts_with("Make 80 MiB of room on the host"), "{}", told.remedy);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[a-zé0-9 ]{0,8}", b in "[a-zé0-9 ]{0,8}", c in "[a-zé0-9 ]{0,8}") {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                prop_assert!(natural_order(&a, &c).is_le());
            }
        }
    }
}
