//! Serial ports, watchdog and sound card of the guest, each with the word that says when a change takes effect.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::devices::{self, CARDS, MOST_PORTS, WATCHDOGS};
use crate::widgets::choice::ChoiceRow;
use adw::prelude::*;
use hv_api::{DeviceSettings, GuestInfo, GuestState, HostInfo, Settings, Watchdog};
use std::cell::Cell;
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The group.
#[derive(Debug)]
pub struct DevicesGroup {
    root: adw::PreferencesGroup,
    ports: ChoiceRow,
    watchdog: ChoiceRow,
    sound: ChoiceRow,
    /// Set while values of the core are shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl DevicesGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let quiet = Rc::new(Cell::new(false));
        let row = |title: String, words: Vec<String>, settings: fn(usize) -> DeviceSettings| {
            let choice = ChoiceRow::new(&title, &words);
            let (wish, quiet) = (Rc::clone(wish), Rc::clone(&quiet));
            choice.row.connect_selected_notify(move |row| {
                if !quiet.get() {
                    let devices = Some(settings(row.selected() as usize));
                    wish(GuestWish::Core(Wish::Set(Settings { devices, ..Settings::default() })));
                }
            });
            choice
        };
        let ports = row(gettext("Serial Ports"), (0..=MOST_PORTS).map(devices::ports).collect(), |place| {
            DeviceSettings { serial_ports: u32::try_from(place).ok(), ..DeviceSettings::default() }
        });
        let watchdog = row(gettext("When It Hangs"), WATCHDOGS.map(devices::watchdog).to_vec(), |place| {
            DeviceSettings { watchdog: WATCHDOGS.get(place).copied(), ..DeviceSettings::default() }
        });
        let sound = row(gettext("Sound Card"), CARDS.map(devices::sound).to_vec(), |place| DeviceSettings {
            sound: CARDS.get(place).copied(),
            ..DeviceSettings::default()
        });
        let root = adw::PreferencesGroup::builder().title(gettext("More Devices")).build();
        for choice in [&ports, &watchdog, &sound] {
            root.add(&choice.row);
        }
        Self { root, ports, watchdog, sound, quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        self.quiet.set(true);
        let when = devices::when(guest);
        self.ports.show(Some(guest.serial_ports as usize), &when);
        self.watchdog.show(WATCHDOGS.iter().position(|action| *action == guest.watchdog), &when);
        self.sound.show(CARDS.iter().position(|card| *card == guest.sound), &when);
        let waits = |key| devices::waits(guest, key).unwrap_or_default();
        self.ports.row.set_subtitle(&waits("serial-ports"));
        let watched = match (guest.watchdog, waits("watchdog")) {
            (Watchdog::None, waits) => waits,
            (_, waits) if waits.is_empty() => gettext("Its system has to calm its watchdog (Intel 6300ESB)"),
            (_, waits) => waits,
        };
        self.watchdog.row.set_subtitle(&watched);
        self.sound.row.set_subtitle(&devices::sound_hint(guest, host));
        self.root.set_sensitive(guest.state != GuestState::Unavailable);
        self.quiet.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, with_display};
    use hv_api::SoundCard;
    use std::cell::RefCell;

    #[test]
    fn only_what_somebody_chooses_is_wished() {
        with_display(|| {
            let wished: Rc<RefCell<Vec<GuestWish>>> = Rc::default();
            let wish: Rc<dyn Fn(GuestWish)> = {
                let wished = Rc::clone(&wished);
                Rc::new(move |wish| wished.borrow_mut().push(wish))
            };
            let group = DevicesGroup::new(&wish);
            let mut lamp = guest("Lamp", GuestState::Off);
            lamp.serial_ports = 2;
            lamp.watchdog = Watchdog::Pause;
            lamp.sound = SoundCard::Ac97;
            group.show(&lamp, None);
            let places = || [&group.ports, &group.watchdog, &group.sound].map(|choice| choice.row.selected());
            assert_eq!((places(), wished.borrow().len()), ([2, 3, 2], 0), "nobody has chosen anything");
            assert!(group.watchdog.row.subtitle().is_some_and(|words| words.contains("6300ESB")));

            group.sound.row.set_selected(1);
            group.ports.row.set_selected(4);
            let settings = |devices| {
                GuestWish::Core(Wish::Set(Settings { devices: Some(devices), ..Settings::default() }))
            };
            assert_eq!(
                *wished.borrow(),
                [
                    settings(DeviceSettings { sound: Some(SoundCard::Ich9), ..DeviceSettings::default() }),
                    settings(DeviceSettings { serial_ports: Some(4), ..DeviceSettings::default() }),
                ]
            );
            // What the core says counts, also where it refused.
            group.show(&lamp, None);
            assert_eq!((places(), wished.borrow().len()), ([2, 3, 2], 2));
        });
    }
}
