//! Who has which volume while it runs. A volume that two guests write at once is destroyed, and so is one that changes
//! under the one that builds on it; so who comes second is refused, and told who has it.

use crate::storage::VolumeId;
use hv_api::{Error, GuestId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

/// What a guest needs a volume for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// To write it, and nobody else does.
    Alone,
    /// To write it beside others that know of each other.
    Shared,
    /// To read it, while nobody writes it: a disk that is read only, or what a disk builds on.
    Read,
}

impl Hold {
    /// Whether two guests can have a volume like this at the same time.
    pub fn goes_with(self, other: Self) -> bool {
        self == other && self != Self::Alone
    }
}

/// A volume that a guest needs.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which it is.
    pub volume: VolumeId,
    /// What it is called here.
    pub path: PathBuf,
    /// What for.
    pub hold: Hold,
}

/// The volumes of all running guests, by what makes two paths the same file.
#[derive(Debug, Default)]
pub struct Volumes(RefCell<HashMap<GuestId, Held>>);

#[derive(Debug)]
struct Held {
    name: String,
    volumes: HashMap<VolumeId, Hold>,
}

impl Volumes {
    /// Takes all of these for a guest, in place of those that it had, or none, where another has one of them.
    pub fn claim(&self, guest: GuestId, name: &str, claims: Vec<Claim>) -> Result<(), Error> {
        let mut all = self.0.borrow_mut();
        for claim in &claims {
            let mut others = all.iter().filter(|(other, _)| **other != guest).map(|(_, held)| held);
            let in_the_way = |held: &&Held| {
                held.volumes.get(&claim.volume).is_some_and(|hold| !hold.goes_with(claim.hold))
            };
            if let Some(held) = others.find(in_the_way) {
                return Err(Error::DiskInUse {
                    path: claim.path.display().to_string(),
                    holder: held.name.clone(),
                });
            }
        }
        let volumes = claims.into_iter().map(|claim| (claim.volume, claim.hold)).collect();
        all.insert(guest, Held { name: name.to_owned(), volumes });
        Ok(())
    }

    /// Gives back all that a guest has.
    pub fn release(&self, guest: GuestId) {
        self.0.borrow_mut().remove(&guest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::volume_id;

    #[test]
    fn who_comes_second_is_refused_unless_both_can_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let claim = |hold| {
            vec![Claim { volume: volume_id(folder.path()).unwrap(), path: folder.path().to_owned(), hold }]
        };
        let (first, second) = (GuestId::random(), GuestId::random());
        for (one, other, fits) in [
            (Hold::Alone, Hold::Alone, false),
            (Hold::Alone, Hold::Read, false),
            (Hold::Shared, Hold::Alone, false),
            (Hold::Shared, Hold::Read, false),
            (Hold::Shared, Hold::Shared, true),
            (Hold::Read, Hold::Read, true),
        ] {
            let volumes = Volumes::default();
            volumes.claim(first, "one", claim(one)).unwrap();
            assert_eq!(volumes.claim(second, "two", claim(other)).is_ok(), fits, "{one:?}, {other:?}");
            volumes.claim(first, "one", claim(Hold::Alone)).ok();
            volumes.release(second);
            volumes.claim(first, "one", Vec::new()).unwrap();
            assert_eq!(volumes.claim(second, "two", claim(other)), Ok(()));
        }
    }
}
