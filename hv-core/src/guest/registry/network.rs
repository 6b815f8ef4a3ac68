//! Network cards of guests: what of a change has to do with other guests and with the host.

use super::Registry;
use crate::guest::edit::Edit;
use crate::guest::forwards;
use crate::guest::handle::Request;
use crate::guest::network::{Nic, NicEdit, number_of, refused};
use hv_api::{
    Error, Forward, ForwardFault, GuestId, GuestInfo, MacAddress, NetworkMode, NewNic, NicInfo, NicSettings,
    SettingResult,
};

impl Registry {
    /// Gives a guest a network card.
    pub async fn add_nic(&self, guest: &str, new: NewNic) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        self.check_nic(Some(&info), &new)?;
        let nic = Nic::new(new, self.free_mac())?;
        handle.ask(|answer| Request::Edit(vec![Edit::Nic(NicEdit::Add(nic))], answer)).await
    }

    /// Takes a network card away. Without a name: the only one.
    pub async fn remove_nic(&self, guest: &str, nic: Option<&str>) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        if nic.is_none() && info.nics.len() > 1 {
            return Err(Error::OptionNeeds { option: "remove".into(), needs: "nic".into() });
        }
        let number = number(&info, nic)?;
        handle.ask(|answer| Request::Edit(vec![Edit::Nic(NicEdit::Remove(number))], answer)).await
    }

    /// Changes a network card. Without a name: the first.
    pub async fn set_nic(
        &self,
        guest: &str,
        nic: Option<&str>,
        settings: NicSettings,
    ) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let number = number(&info, nic)?;
        if let Some(mac) = settings.mac {
            self.check_mac(Some(info.id), mac)?;
        }
        let mut wanted = settings.add_forwards.clone().unwrap_or_default();
        // Those that rest come back with user mode.
        let resting = info.nics.iter().filter(|nic| number_of(&nic.name) == Some(number));
        if settings.mode == Some(NetworkMode::User) {
            let resting = resting.filter(|nic| nic.mode != NetworkMode::User);
            wanted.extend(resting.flat_map(|nic| nic.forwards.iter().copied()));
        }
        self.check_forwards(Some(&info), &wanted)?;
        let edits = NicEdit::of_settings(number, settings)?.into_iter().map(Edit::Nic).collect();
        handle.ask(|answer| Request::Edit(edits, answer)).await
    }

    /// Makes sure that no other guest and no program of the host's has what a card shall have.
    pub(super) fn check_nic(&self, guest: Option<&GuestInfo>, new: &NewNic) -> Result<(), Error> {
        if let Some(mac) = new.mac {
            self.check_mac(guest.map(|guest| guest.id), mac)?;
        }
        self.check_forwards(guest, new.forwards.as_deref().unwrap_or_default())
    }

    /// Makes sure that the ports which lead into a guest are not another running guest's.
    pub(super) fn check_ports(&self, guest: &GuestInfo) -> Result<(), Error> {
        let others = self.list();
        let running = others.iter().filter(|other| other.id != guest.id && other.pid.is_some());
        held(forwards_of(&guest.nics), &running)
    }

    fn check_mac(&self, guest: Option<GuestId>, mac: MacAddress) -> Result<(), Error> {
        let guests = self.list();
        let mut others = guests.iter().filter(|other| Some(other.id) != guest);
        match others.find(|other| other.nics.iter().any(|nic| nic.mac == mac)) {
            Some(other) => Err(Error::MacTaken { mac: mac.to_string(), holder: other.name.clone() }),
            None => Ok(()),
        }
    }

    fn check_forwards(&self, guest: Option<&GuestInfo>, wanted: &[Forward]) -> Result<(), Error> {
        let guests = self.list();
        held(wanted, &guests.iter().filter(|other| Some(other.id) != guest.map(|guest| guest.id)))?;
        // What its own engine listens on is its own, and comes free with the change that takes it.
        let own = guest.filter(|guest| guest.pid.is_some()).map(|guest| &guest.nics[..]).unwrap_or_default();
        let is_own = |forward: &&Forward| forwards_of(own).any(|other| other.collides(forward));
        wanted.iter().filter(|forward| !is_own(forward)).try_for_each(forwards::check)
    }

    /// An address for a card that no guest has.
    fn free_mac(&self) -> MacAddress {
        let guests = self.list();
        loop {
            let mac = forwards::mac_of(GuestId::random());
            if guests.iter().flat_map(|guest| &guest.nics).all(|nic| nic.mac != mac) {
                return mac;
            }
        }
    }
}

/// Makes sure that none of these guests has one of these ports.
fn held<'a>(
    wanted: impl IntoIterator<Item = &'a Forward>,
    guests: &(impl Iterator<Item = &'a GuestInfo> + Clone),
) -> Result<(), Error> {
    for forward in wanted {
        let mut guests = guests.clone();
        if let Some(holder) = guests.find(|guest| forwards_of(&guest.nics).any(|it| it.collides(forward))) {
            return Err(refused(forward, ForwardFault::HeldByGuest, &holder.name));
        }
    }
    Ok(())
}

fn forwards_of(nics: &[NicInfo]) -> impl Iterator<Item = &Forward> {
    nics.iter().filter(|nic| nic.mode == NetworkMode::User).flat_map(|nic| &nic.forwards)
}

/// The number of the card with this name, or of the first.
fn number(guest: &GuestInfo, nic: Option<&str>) -> Result<u32, Error> {
    let found = match nic {
        None => guest.nics.first(),
        Some(name) => guest.nics.iter().find(|nic| nic.name == name),
    };
    let number = found.and_then(|nic| number_of(&nic.name));
    number.ok_or_else(|| Error::NicNotFound {
        guest: guest.name.clone(),
        nic: nic.unwrap_or_default().to_owned(),
    })
}
