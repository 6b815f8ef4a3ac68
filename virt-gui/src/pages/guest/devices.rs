//! Serial ports, watchdog and sound card of the guest, each with the word that says when a change takes effect.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::devices::{self, CARDS, MOST_PORTS, WATCHDOGS};
use crate::model::hardware::when_fixed;
use crate::widgets::setting_row::ChoiceRow;
use adw::prelude::*;
use hv_api::{DeviceSettings, GuestInfo, GuestState, HostInfo, Settings, SoundCard, Watchdog};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The group.
#[derive(Debug)]
pub struct DevicesGroup {
    root: adw::PreferencesGroup,
    ports: ChoiceRow<u32>,
    watchdog: ChoiceRow<Watchdog>,
    sound: ChoiceRow<SoundCard>,
}

impl DevicesGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let set: Rc<dyn Fn(DeviceSettings)> = {
            let wish = Rc::clone(wish);
            Rc::new(move |devices| {
                wish(GuestWish::Core(Wish::Set(Settings { devices: Some(devices), ..Settings::default() })));
            })
        };
        let numbers: Vec<u32> = (0..=MOST_PORTS).collect();
        let ports = ChoiceRow::new(&gettext("Serial Ports"), &numbers, devices::ports, {
            let set = Rc::clone(&set);
            move |count| set(DeviceSettings { serial_ports: Some(count), ..DeviceSettings::default() })
        });
        let watchdog = ChoiceRow::new(&gettext("When It Hangs"), &WATCHDOGS, devices::watchdog, {
            let set = Rc::clone(&set);
            move |action| set(DeviceSettings { watchdog: Some(action), ..DeviceSettings::default() })
        });
        let sound = ChoiceRow::new(&gettext("Sound Card"), &CARDS, devices::sound, move |card| {
            set(DeviceSettings { sound: Some(card), ..DeviceSettings::default() });
        });
        let root = adw::PreferencesGroup::builder().title(gettext("More Devices")).build();
        root.add(ports.widget());
        root.add(watchdog.widget());
        root.add(sound.widget());
        Self { root, ports, watchdog, sound }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        let when = when_fixed(guest);
        self.ports.show(guest.serial_ports, &when);
        self.watchdog.show(guest.watchdog, &when);
        self.sound.show(guest.sound, &when);
        let waits = |key| devices::waits(guest, key).unwrap_or_default();
        self.ports.widget().set_subtitle(&waits("serial-ports"));
        let watched = match (guest.watchdog, waits("watchdog")) {
            (Watchdog::None, waits) => waits,
            (_, waits) if waits.is_empty() => gettext("Its system has to calm its watchdog (Intel 6300ESB)"),
            (_, waits) => waits,
        };
        self.watchdog.widget().set_subtitle(&watched);
        self.sound.widget().set_subtitle(&devices::sound_hint(guest, host));
        self.root.set_sensitive(guest.state != GuestState::Unavailable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, with_display};
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
            let places = || {
                [group.ports.widget(), group.watchdog.widget(), group.sound.widget()]
                    .map(adw::ComboRow::selected)
            };
            assert_eq!((places(), wished.borrow().len()), ([2, 3, 2], 0), "nobody has chosen anything");
            assert!(group.watchdog.widget().subtitle().is_some_and(|words| words.contains("6300ESB")));

            group.sound.widget().set_selected(1);
            group.ports.widget().set_selected(4);
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
