//! Which system is on a disc, by the disc's labels.
//!
//! The database's own rules come first. Of several systems that fit, none is guessed: they are candidates, and a
//! person chooses. What only its general rules know, and what they don't, is looked at by [`super::releases`].

use super::Database;
use super::model::{Media, System};
use super::pattern::Pattern;
use super::releases::Release;
use hv_api::Confidence;
use std::cmp::Reverse;

/// What a disc says of itself.
#[derive(Debug, Default, Clone, Copy)]
pub struct Labels<'a> {
    /// Its name for itself.
    pub volume: Option<&'a str>,
    /// The system it says it is for.
    pub system: Option<&'a str>,
    /// Who published it.
    pub publisher: Option<&'a str>,
    /// What it was made with.
    pub application: Option<&'a str>,
    /// Its size, in bytes.
    pub volume_size: Option<u64>,
    /// The processor that it is for, where something else told; it only decides between what is otherwise the same.
    pub arch: Option<&'a str>,
}

/// A system by its word and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its short word.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

impl Named {
    /// A system of the database.
    pub fn of(system: &System) -> Self {
        Self { id: system.short_id().to_owned(), name: system.name.to_string() }
    }
}

/// What was found out about a disc or an install tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The system; nothing where it is unknown or one of `candidates`.
    pub system: Option<Named>,
    /// Every system that it may be, the likeliest first. Empty where there is no doubt.
    pub candidates: Vec<Named>,
    /// The known system whose hardware suits it, by its short word: itself, or a relative.
    pub like: Option<String>,
    /// The kind of system, as `linux`.
    pub family: Option<String>,
    /// The processor it is for, as the database writes it.
    pub arch: Option<String>,
    /// The editions.
    pub variants: Vec<String>,
    /// Its languages, as `de_DE`.
    pub languages: Vec<String>,
    /// It can be used without installing; nothing where that is unknown.
    pub live: Option<bool>,
    /// It installs.
    pub installer: Option<bool>,
    /// How often its installer restarts the machine.
    pub restarts: u32,
    /// It is to be taken out when the installer has ended.
    pub eject: bool,
    /// The installer's kernel, as a path on the medium.
    pub kernel: Option<String>,
    /// What is loaded with it.
    pub initrd: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// True where the database does not know this release.
    pub newer: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            system: None,
            candidates: Vec::new(),
            like: None,
            family: None,
            arch: None,
            variants: Vec::new(),
            languages: Vec::new(),
            live: None,
            installer: None,
            restarts: 1,
            eject: true,
            kernel: None,
            initrd: None,
            confidence: Confidence::Unknown,
            newer: false,
        }
    }
}

/// A medium of the database that fits.
#[derive(Debug, Clone, Copy)]
struct Fit<'a> {
    system: &'a System,
    media: &'a Media,
}

impl Fit<'_> {
    /// What speaks for it, the most first: the exact size, then how much it says.
    fn weight(&self) -> (bool, usize, bool) {
        (self.media.volume_size.is_some(), self.media.fields(), self.media.arch.as_ref() != "all")
    }

    /// Whether it is for the processor that is the likeliest.
    fn is_usual(&self, arch: Option<&str>) -> bool {
        *self.media.arch == *arch.unwrap_or("x86_64")
    }
}

impl Media {
    fn patterns(&self) -> [&Option<Pattern>; 4] {
        [&self.volume, &self.system, &self.publisher, &self.application]
    }

    fn fields(&self) -> usize {
        self.patterns().into_iter().flatten().count()
    }

    fn fits(&self, labels: &Labels<'_>) -> bool {
        let said = [labels.volume, labels.system, labels.publisher, labels.application];
        let same_size = self.volume_size.is_none() || self.volume_size == labels.volume_size;
        // What a disc does not say is empty.
        let fits = |(pattern, said): (&Option<Pattern>, Option<&str>)| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(said.unwrap_or_default()))
        };
        same_size && self.patterns().into_iter().zip(said).all(fits)
    }
}

impl Database {
    /// Which system is on a disc with these labels.
    pub fn identify(&self, labels: &Labels<'_>) -> Identity {
        if [labels.volume, labels.system, labels.publisher, labels.application].iter().all(Option::is_none) {
            return Identity::default();
        }
        let fits = self.fits(labels);
        if fits.iter().any(|fit| !fit.system.is_generic()) {
            return self.identity(&fits, labels);
        }
        let generic: Vec<&System> = fits.iter().map(|fit| fit.system).collect();
        let releases = self.lines().releases(self, labels, &generic);
        if releases.is_empty() && fits.is_empty() {
            return self.of_other_size(labels);
        }
        if releases.is_empty() {
            return self.identity(&fits, labels);
        }
        self.newer(&releases, &fits, labels)
    }

    /// The media that fit, the likeliest first; those that are there for want of better ones only without those.
    fn fits(&self, labels: &Labels<'_>) -> Vec<Fit<'_>> {
        let all = self
            .systems
            .iter()
            .flat_map(|system| system.media.iter().map(move |media| Fit { system, media }));
        let fits: Vec<Fit<'_>> = all.filter(|fit| fit.media.fits(labels)).collect();
        let is_fallback = |fit: &Fit<'_>| fit.system.is_fallback() || *fit.media.arch == *"all";
        let (fallback, mut kept): (Vec<_>, Vec<_>) = fits.into_iter().partition(is_fallback);
        if kept.is_empty() {
            kept = fallback;
        }
        kept.sort_by_key(|fit| {
            Reverse((fit.weight(), fit.system.released.clone(), fit.is_usual(labels.arch)))
        });
        kept
    }

    /// What all but the size says, where the label does not tell one release from the other.
    fn of_other_size(&self, labels: &Labels<'_>) -> Identity {
        let any_size = |system: &System, media: &Media| {
            media.volume_size.is_some()
                && media.fits(&Labels { volume_size: media.volume_size, ..*labels })
                && !system.is_generic()
        };
        let all = self
            .systems
            .iter()
            .flat_map(|system| system.media.iter().map(move |media| Fit { system, media }));
        let mut fits: Vec<Fit<'_>> = all.filter(|fit| any_size(fit.system, fit.media)).collect();
        fits.sort_by_key(|fit| Reverse(fit.system.released.clone()));
        Identity {
            confidence: if fits.is_empty() { Confidence::Unknown } else { Confidence::Probable },
            ..self.identity(&fits, labels)
        }
    }

    /// What the database knows.
    fn identity(&self, fits: &[Fit<'_>], labels: &Labels<'_>) -> Identity {
        let Some(best) = fits.first() else { return Identity::default() };
        let systems = distinct(fits.iter().map(|fit| fit.system));
        // The exact size speaks for one system against all others.
        let is_sized =
            |fit: &&Fit<'_>| fit.media.volume_size.is_some() && fit.media.volume_size == labels.volume_size;
        let sized = distinct(fits.iter().filter(is_sized).map(|fit| fit.system));
        let certain = systems.len() == 1 || sized.len() == 1;
        let confidence = if best.media.volume_size.is_some() || best.media.fields() > 1 {
            Confidence::Exact
        } else {
            Confidence::Probable
        };
        Identity {
            system: certain.then(|| Named::of(best.system)),
            candidates: if systems.len() > 1 {
                systems.into_iter().map(Named::of).collect()
            } else {
                Vec::new()
            },
            like: Some(best.system.short_id().to_owned()),
            family: self.family(best.system).map(str::to_owned),
            confidence,
            newer: best.system.is_generic(),
            ..self.details(best.media, labels)
        }
    }

    /// What the medium's own words say, where the database does not know the release.
    fn newer(&self, releases: &[Release<'_>], fits: &[Fit<'_>], labels: &Labels<'_>) -> Identity {
        let best = &releases[0];
        let certain =
            releases.iter().all(|release| release.named.id == best.named.id || release.weight < best.weight);
        let mut candidates: Vec<Named> = Vec::new();
        let general = fits.iter().map(|fit| Named::of(fit.system));
        for named in releases.iter().map(|release| release.named.clone()).chain(general) {
            if candidates.iter().all(|known| known.id != named.id) {
                candidates.push(named);
            }
        }
        if candidates.len() == 1 {
            candidates.clear();
        }
        // The general rule of the database says where things are on it; without one, those of its relatives.
        let media = fits.first().map(|fit| fit.media).or(best.media);
        let details = media.map(|media| self.details(media, labels)).unwrap_or_default();
        Identity {
            system: certain.then(|| best.named.clone()),
            candidates,
            like: best.like.map(|system| system.short_id().to_owned()),
            family: best.like.and_then(|system| self.family(system)).or(best.family).map(str::to_owned),
            arch: best.arch.map(str::to_owned).or(details.arch.clone()),
            confidence: Confidence::Probable,
            newer: best.newer,
            ..details
        }
    }

    /// What a medium of the database tells besides its system.
    fn details(&self, media: &Media, labels: &Labels<'_>) -> Identity {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let read = media.language.as_ref().and_then(|rule| {
            let word = rule.pattern.first_group(labels.volume?)?;
            let translated = rule.map.as_ref().and_then(|map| self.translate(map, word));
            Some(translated.unwrap_or(word).to_owned())
        });
        let languages = match read {
            Some(language) => vec![language],
            None => media.languages.iter().map(ToString::to_string).collect(),
        };
        Identity {
            arch: (*media.arch != *"all").then(|| media.arch.to_string()).or(labels.arch.map(str::to_owned)),
            variants: media.variants.iter().map(ToString::to_string).collect(),
            languages,
            live: Some(media.live),
            installer: Some(media.installer),
            restarts: media.reboots,
            eject: media.eject,
            kernel: text(&media.kernel),
            initrd: text(&media.initrd),
            ..Identity::default()
        }
    }
}

/// Each system once, in the same order.
fn distinct<'a>(systems: impl Iterator<Item = &'a System>) -> Vec<&'a System> {
    let mut found: Vec<&System> = Vec::new();
    for system in systems {
        if !found.iter().any(|known| std::ptr::eq(*known, system)) {
            found.push(system);
        }
    }
    found
}
