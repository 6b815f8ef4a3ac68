//! The files of the operating-system database: the one place here that touches the file system.
//!
//! They are in up to three folders: the system's, this computer's, this user's. A file in a later one replaces
//! that of the same relative path in an earlier one; what is in a folder `x.d` beside `x.xml` is added to it. A
//! file that can't be used is left out, which the log says.

use super::xml::{self, Content};
use super::{Database, DatabaseBuilder};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// The folders in each place that are read.
const PARTS: [&str; 2] = ["os", "datamap"];

/// The deepest folder in one of [`PARTS`]: maker, then additions.
const DEEPEST: u32 = 4;

/// The most files in all places. 1,100 are known.
const MOST_FILES: usize = 20_000;

/// All of it is read by so many threads: more don't help where the processor has none for them.
const MOST_THREADS: usize = 4;

/// How long what was loaded counts as current without a look.
const FRESH: Duration = Duration::from_secs(2);

/// Where the database is, and what was read from there.
#[derive(Debug)]
pub struct Source {
    places: Vec<PathBuf>,
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    database: Arc<Database>,
    /// What the folders looked like.
    state: u64,
    looked: Instant,
}

impl Source {
    /// The usual places, each of which the environment may move.
    pub fn from_env() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = || {
            let absolute = var("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            absolute.or_else(|| Some(var("HOME")?.join(".config")))
        };
        let system = var("OSINFO_SYSTEM_DIR").unwrap_or_else(|| "/usr/share/osinfo".into());
        let local = var("OSINFO_LOCAL_DIR").unwrap_or_else(|| "/etc/osinfo".into());
        let user = var("OSINFO_USER_DIR").or_else(|| Some(config()?.join("osinfo")));
        Self::new([Some(system), Some(local), user].into_iter().flatten().collect())
    }

    /// These places, the ones that win last.
    pub fn new(places: Vec<PathBuf>) -> Self {
        Self { places, loaded: Mutex::new(None) }
    }

    /// The database, read now where that was not done yet, or where files have come or gone since. It takes some
    /// tens of milliseconds then and blocks: never call it on the core's thread.
    pub fn get(&self) -> Arc<Database> {
        // Whoever panicked here left what was there before.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.as_mut() {
            if known.looked.elapsed() < FRESH {
                return Arc::clone(&known.database);
            }
            known.looked = Instant::now();
            if known.state == state(&self.places) {
                return Arc::clone(&known.database);
            }
        }
        let (begun, state) = (Instant::now(), state(&self.places));
        let database = Arc::new(load(&self.places));
        if database.is_empty() {
            warn!(places = ?self.places, "there is no operating-system database, going by what media say of themselves");
        } else {
            let (systems, version) = (database.systems().len(), database.version());
            info!(systems, version, took = ?begun.elapsed(), "the operating-system database is read");
        }
        *loaded = Some(Loaded { database: Arc::clone(&database), state, looked: Instant::now() });
        database
    }

    /// The database, if it was read already. Never waits.
    pub fn loaded(&self) -> Option<Arc<Database>> {
        let loaded = self.loaded.try_lock().ok()?;
        Some(Arc::clone(&loaded.as_ref()?.database))
    }
}

/// What tells that files have come or gone: when the folders changed.
fn state(places: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut look = |path: &Path| {
        let changed = fs::metadata(path).and_then(|found| found.modified()).ok();
        (path, changed).hash(&mut hasher);
    };
    for place in places {
        look(place);
        for part in PARTS {
            let part = place.join(part);
            look(&part);
            let mut folders: Vec<PathBuf> =
                entries(&part).into_iter().map(|(path, _)| path).take(MOST_FILES).collect();
            folders.sort();
            for folder in &folders {
                look(folder);
            }
        }
    }
    hasher.finish()
}

fn entries(folder: &Path) -> Vec<(PathBuf, bool)> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let entry = |entry: fs::DirEntry| {
        let path = entry.path();
        let kind = entry.file_type().ok()?;
        let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
        Some((path, is_folder))
    };
    found.filter_map(Result::ok).filter_map(entry).take(MOST_FILES).collect()
}

/// The files below a folder, by their path relative to their place.
fn collect(place: &Path, folder: &Path, depth: u32, files: &mut BTreeMap<PathBuf, PathBuf>) {
    for (path, is_folder) in entries(folder) {
        if files.len() >= MOST_FILES {
            return;
        }
        if is_folder {
            if depth < DEEPEST {
                collect(place, &path, depth + 1, files);
            }
        } else if path.extension().is_some_and(|ending| ending == "xml")
            && let Ok(relative) = path.strip_prefix(place)
        {
            files.insert(relative.to_owned(), path);
        }
    }
}

fn load(places: &[PathBuf]) -> Database {
    let mut builder = DatabaseBuilder::default();
    for content in contents(places) {
        builder.add(content);
    }
    builder.finish(version(places))
}

/// What all files say, in the order in which it counts.
pub(super) fn contents(places: &[PathBuf]) -> Vec<Content> {
    let mut files = BTreeMap::new();
    for place in places {
        for part in PARTS {
            collect(place, &place.join(part), 0, &mut files);
        }
    }
    // What is added comes after what it is added to.
    let (added, plain): (Vec<_>, Vec<_>) = files.into_iter().partition(|(relative, _)| is_addition(relative));
    let files: Vec<PathBuf> = plain.into_iter().chain(added).map(|(_, path)| path).collect();

    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_THREADS));
    let share = files.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let read_all = |files: &[PathBuf]| files.iter().filter_map(|path| read(path)).collect::<Vec<_>>();
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || read_all(files))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    })
}

fn is_addition(relative: &Path) -> bool {
    relative.parent().and_then(Path::extension).is_some_and(|ending| ending == "d")
}

/// What a file says; nothing where it can't be used.
fn read(path: &Path) -> Option<Content> {
    let found = fs::metadata(path).ok()?;
    // An empty file, and a link to /dev/null, hide that of an earlier place.
    if !found.is_file() || found.len() == 0 {
        return None;
    }
    let read = || {
        if found.len() > xml::LARGEST {
            return Err(format!("{} bytes long", found.len()));
        }
        let mut text = String::new();
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        file.take(xml::LARGEST).read_to_string(&mut text).map_err(|error| error.to_string())?;
        xml::read(&text)
    };
    read()
        .map_err(|detail| warn!(path = %path.display(), detail, "left out of the operating-system database"))
        .ok()
}

/// The database's version, of the last place that says one.
fn version(places: &[PathBuf]) -> Option<Box<str>> {
    let one = |place: &PathBuf| {
        let mut text = String::new();
        fs::File::open(place.join("VERSION")).ok()?.take(64).read_to_string(&mut text).ok()?;
        let version: String = text.trim().chars().filter(char::is_ascii_graphic).collect();
        (!version.is_empty()).then(|| version.into())
    };
    places.iter().rev().find_map(one)
}
