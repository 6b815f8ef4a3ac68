//! Every medium of the installed database, recognised by labels that were made from its own rules.

use super::super::Source;
use super::generator::{Made, Taste};
use std::path::Path;
use std::time::Instant;

#[test]
fn every_medium_of_the_database_is_recognised() {
    let database = Source::from_env().get();
    if database.is_empty() {
        eprintln!("skipped: osinfo-db is not installed");
        return;
    }
    let (mut all, mut exact, mut offered) = (0, 0, 0);
    let mut missed = Vec::new();
    let begun = Instant::now();
    for system in database.systems() {
        for (media, taste) in
            system.media.iter().flat_map(|media| [(media, Taste::Lean), (media, Taste::Full)])
        {
            let Some(made) = Made::of(media, taste) else { continue };
            all += 1;
            let found = database.identify(&made.labels());
            if found.system.as_ref().is_some_and(|named| named.id == system.short_id()) {
                exact += 1;
            } else if found.candidates.iter().any(|named| named.id == system.short_id()) {
                offered += 1;
            } else {
                missed.push((system.short_id(), made, found.system, found.candidates));
            }
        }
    }
    eprintln!(
        "{all} media: {exact} exact, {offered} offered, {} missed, {:?}",
        missed.len(),
        begun.elapsed()
    );
    for miss in &missed {
        eprintln!("{miss:?}");
    }
    assert!(Path::new("/usr/share/osinfo").exists() && all > 0);
    assert!(missed.len() * 200 <= all, "{} of {all} missed", missed.len());
}
