//! Every install tree of the installed database, recognised by a `treeinfo` that was made from its own rules.

use super::super::Source;
use super::super::model::TreeInfo;
use super::super::trees::{Fetch, identify};
use super::generator::{Taste, text};
use async_trait::async_trait;
use futures_util::FutureExt;

/// A tree that has a `.treeinfo` and nothing else.
struct Only(String);

#[async_trait(?Send)]
impl Fetch for Only {
    async fn texts(&mut self, paths: &[&str]) -> Vec<Option<String>> {
        paths.iter().map(|path| (*path == ".treeinfo").then(|| self.0.clone())).collect()
    }

    async fn exist(&mut self, paths: &[String]) -> Vec<bool> {
        paths.iter().map(|_| false).collect()
    }
}

fn made(info: &TreeInfo, taste: Taste) -> Option<String> {
    let mut made = "[general]\n".to_owned();
    for (key, pattern) in [
        ("family", &info.family),
        ("version", &info.version),
        ("variant", &info.variant),
        ("arch", &info.arch),
    ] {
        if let Some(pattern) = pattern {
            made = format!("{made}{key} = {}\n", text(pattern.as_str(), taste)?);
        }
    }
    Some(made)
}

#[test]
fn every_tree_of_the_database_is_recognised() {
    let database = Source::from_env().get();
    if database.is_empty() {
        eprintln!("skipped: osinfo-db is not installed");
        return;
    }
    let (mut all, mut exact, mut offered) = (0, 0, 0);
    for system in database.systems() {
        for (info, taste) in system
            .trees
            .iter()
            .filter_map(|tree| tree.info.as_ref())
            .flat_map(|info| [(info, Taste::Lean), (info, Taste::Full)])
        {
            let Some(treeinfo) = made(info, taste) else { continue };
            all += 1;
            let found = identify(&mut Only(treeinfo.clone()), "/tree", &database).now_or_never().flatten();
            let identity = found.map(|found| found.identity).unwrap_or_default();
            let is_it = |id: &str| id == system.short_id();
            if identity.system.as_ref().is_some_and(|named| is_it(&named.id)) {
                exact += 1;
            } else if identity.candidates.iter().any(|named| is_it(&named.id)) {
                offered += 1;
            } else {
                eprintln!(
                    "{}: {treeinfo:?} -> {:?} {:?}",
                    system.short_id(),
                    identity.system,
                    identity.candidates
                );
            }
        }
    }
    eprintln!("{all} trees: {exact} exact, {offered} offered");
    assert!((exact + offered) * 100 >= all * 99, "{exact} and {offered} of {all}");
}
