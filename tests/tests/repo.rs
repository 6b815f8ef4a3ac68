//! The repository's own rules: who may know whom, where things lie, what every source file shows. Nothing is
//! built or started here but tools that read. A rule whose tool is not installed says aloud that it skips.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may know of the others, in any kind of dependency. hv-tests may know all of them.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("hv-api", &[]),
    ("hv-core", &["hv-api"]),
    ("hv-cli", &["hv-api"]),
    ("virt-kit", &["hv-api"]),
    ("installer-wizard", &["hv-api", "virt-kit"]),
    ("virt-gui", &["hv-api", "installer-wizard", "virt-kit"]),
];

/// What runs without a desktop must build without one.
const DESKTOP: [&str; 7] = ["gdk-pixbuf", "gettext-rs", "gtk4", "libadwaita", "relm4", "virt-kit", "vte4"];

const TOP_LEVEL: [&str; 14] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "hv-core",
    "installer-wizard",
    "po",
    "resources",
    "tests",
    "virt-gui",
];

/// Past this many lines a file holds a second concept.
const LONGEST_FILE: usize = 700;

#[test]
fn each_crate_knows_only_what_it_may() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = workspace(&metadata).map(|package| text(package, "name")).collect();
    let named: BTreeSet<&str> = MAY_KNOW.iter().map(|(name, _)| *name).chain(["hv-tests"]).collect();
    assert_eq!(ours, named, "a crate came or went: say in MAY_KNOW what it may know");

    for (name, allowed) in MAY_KNOW {
        let package =
            workspace(&metadata).find(|package| text(package, "name") == name).expect("checked above");
        let known: Vec<&str> = list(package, "dependencies")
            .iter()
            .map(|dependency| text(dependency, "name"))
            .filter(|dependency| ours.contains(dependency) && !allowed.contains(dependency))
            .collect();
        assert!(known.is_empty(), "{name} may not depend on {known:?}, only on {allowed:?}");
    }
}

#[test]
fn core_and_command_need_no_desktop_and_the_window_no_core() {
    let metadata = metadata();
    for name in ["hv-api", "hv-core", "hv-cli"] {
        let reached = reached_from(&metadata, name);
        let desktop: Vec<&str> = DESKTOP.into_iter().filter(|name| reached.contains(*name)).collect();
        assert!(desktop.is_empty(), "{name} pulls in {desktop:?}");
    }
    for name in ["virt-kit", "installer-wizard", "virt-gui"] {
        assert!(!reached_from(&metadata, name).contains("hv-core"), "{name} pulls in hv-core");
    }
}

#[test]
fn dependencies_have_allowed_licences_and_come_from_the_registry() {
    let rules: toml::Table = read(&root().join(".deny.toml")).parse().expect(".deny.toml is TOML");
    let allowed: Vec<spdx::Licensee> = rules["licenses"]["allow"]
        .as_array()
        .expect("licenses.allow is a list")
        .iter()
        .map(|name| spdx::Licensee::parse(name.as_str().expect("a name")).expect("an SPDX licence"))
        .collect();
    let registries = rules["sources"]["allow-registry"].as_array().expect("a list");

    let metadata = metadata();
    for package in list(&metadata, "packages") {
        let name = text(package, "name");
        let Some(source) = package["source"].as_str() else { continue };
        assert!(
            registries
                .iter()
                .filter_map(|known| known.as_str())
                .any(|known| source == format!("registry+{known}")),
            "{name} comes from {source}"
        );
        let licence = text(package, "license");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{name} has the licence {licence:?}: {error}"));
        assert!(
            expression.evaluate(|needed| allowed.iter().any(|licensee| licensee.satisfies(needed))),
            "{name} has the licence {licence:?}, which .deny.toml does not allow"
        );
    }
}

#[test]
fn nothing_else_lies_at_the_top() {
    let strangers: Vec<String> = fs::read_dir(root())
        .expect("the project can be read")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .filter(|name| !name.starts_with('.') && name != "target" && !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    assert!(strangers.is_empty(), "at the top level, beside what belongs there: {strangers:?}");
}

#[test]
fn every_module_says_what_it_is_and_stays_short() {
    let mut wrong = Vec::new();
    for path in rust_sources() {
        let source = read(&path);
        // `#![…]` and a shebang may stand before it, code may not.
        let first = source.lines().find(|line| !line.is_empty() && !line.starts_with("#!"));
        match first.and_then(|line| line.strip_prefix("//!")) {
            Some(words) if words.chars().any(char::is_alphabetic) => {}
            _ => wrong.push(format!("{}: does not open with //! and what it is", short(&path))),
        }
        let lines = source.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{}: {lines} lines; look for the second concept in it", short(&path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_engine_for_qemu_speaks_qmp() {
    let core = root().join("hv-core/src");
    let inside = core.join("engine/qemu");
    let mut wrong = Vec::new();
    for path in rust_sources() {
        if !path.starts_with(&core) || path.starts_with(&inside) || path == inside.with_extension("rs") {
            continue;
        }
        for (number, line) in code_lines(&read(&path)) {
            if line.to_lowercase().contains("qmp") {
                wrong.push(format!("{}:{number}: {}", short(&path), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "QMP is the business of engine/qemu alone:\n{}", wrong.join("\n"));
}

#[test]
fn files_with_texts_are_listed_for_translators() {
    let listed: Vec<String> = entries("po/POTFILES.in");
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted, "po/POTFILES.in is sorted");

    let of_rust: BTreeSet<String> = listed
        .iter()
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "rs"))
        .cloned()
        .collect();
    let with_texts: BTreeSet<String> = rust_sources()
        .iter()
        .filter(|path| !path.starts_with(root().join("tests")) && has_texts(&read(path)))
        .map(|path| short(path))
        .collect();
    assert_eq!(of_rust, with_texts, "left: po/POTFILES.in; right: the sources that call gettext with a text");
    for name in &listed {
        assert!(root().join(name).is_file(), "po/POTFILES.in names {name}, which does not exist");
    }
}

#[test]
fn languages_and_translations_agree() {
    let listed: BTreeSet<String> = entries("po/LINGUAS").into_iter().collect();
    let present: BTreeSet<String> = files_below(&root().join("po"))
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "po"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, present, "left: po/LINGUAS; right: po/*.po");
    for language in listed {
        let file = root().join(format!("po/{language}.po"));
        passes(Command::new("msgfmt").args(["--check", "--output-file=/dev/null"]).arg(file));
    }
}

#[test]
fn the_desktop_file_is_valid() {
    let file = root().join("resources/dev.guesthouse.Guesthouse.desktop");
    passes(Command::new("desktop-file-validate").arg(file));
}

#[test]
fn the_metainfo_file_is_valid() {
    let file = root().join("resources/dev.guesthouse.Guesthouse.metainfo.xml");
    passes(Command::new("appstreamcli").args(["validate", "--no-net"]).arg(file));
}

#[test]
fn scripts_are_shell_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut seen = 0;
    for folder in ["resources", "tests", ".ci"] {
        for path in files_below(&root().join(folder)) {
            let sourced = path.extension().is_some_and(|kind| kind == "sh");
            let Ok(source) = fs::read_to_string(&path) else { continue };
            if !source.starts_with("#!/usr/bin/env bash\n") && !sourced {
                continue;
            }
            passes(Command::new("bash").arg("-n").arg(&path));
            let executable = fs::metadata(&path).expect("it was just read").permissions().mode() & 0o111 != 0;
            assert_eq!(
                executable,
                source.starts_with("#!"),
                "{}: what has a #! line is executable",
                short(&path)
            );
            seen += 1;
        }
    }
    assert!(seen >= 3, "the scripts have moved: found {seen}");
}

#[test]
fn documents_name_only_commands_that_exist() {
    let makefile = read(&root().join("Makefile"));
    let targets: BTreeSet<&str> =
        makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect(".PHONY").split(' ').collect();
    let mut named = BTreeSet::new();
    for document in ["README.md", "CONTRIBUTING.md"] {
        let source = read(&root().join(document));
        // In code, `make x` begins a line or follows a backquote; elsewhere it is only English.
        for place in source.lines().flat_map(|line| line.split('`')) {
            if let Some(command) = place.trim_start().strip_prefix("make ") {
                let target = command.split_whitespace().find(|word| !word.contains('=')).expect("a target");
                assert!(
                    targets.contains(target),
                    "{document} says `make {target}`, which the Makefile does not know"
                );
                named.insert(target.to_owned());
            }
        }
    }
    for target in ["run", "test", "check"] {
        assert!(named.contains(target), "neither README.md nor CONTRIBUTING.md shows `make {target}`");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the project")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// All files below a folder, sorted; links are not followed.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

fn rust_sources() -> Vec<PathBuf> {
    let sources: Vec<PathBuf> = ["hv-core", "installer-wizard", "tests", "virt-gui"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder)))
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .collect();
    assert!(sources.len() > 10, "the sources have moved: found {}", sources.len());
    sources
}

/// Lines that are not wholly a comment, with their numbers.
fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

/// Does this source hand a text to gettext: a call of its family with a literal, or of the translator `t`
/// that the core's explanations are given?
fn has_texts(source: &str) -> bool {
    let code: String = code_lines(source).flat_map(|(_, line)| [line, "\n"]).collect();
    let takes_literal = |rest: &str| {
        rest.strip_prefix('(').is_some_and(|inside| {
            let inside = inside.trim_start();
            ["\"", "r\"", "r#\""].iter().any(|opening| inside.starts_with(opening))
        })
    };
    let gettext = code.match_indices("gettext").any(|(at, name)| {
        let rest = &code[at + name.len()..];
        takes_literal(rest.strip_prefix("_f").unwrap_or(rest))
    });
    let translator = code.match_indices('t').any(|(at, name)| {
        let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
        !code[..at].ends_with(part_of_a_name) && takes_literal(&code[at + name.len()..])
    });
    gettext || translator
}

/// The lines of a list that are neither empty nor comments.
fn entries(name: &str) -> Vec<String> {
    let lines = read(&root().join(name));
    lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Runs a checking tool; where it is not installed, says so and lets the test pass.
fn passes(command: &mut Command) {
    match command.output() {
        Ok(output) => assert!(
            output.status.success(),
            "{command:?} says:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: {} is not installed", command.get_program().display());
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// What cargo knows of the workspace and all it depends on, on the platform we build for.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .arg("--manifest-path")
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn list<'value>(value: &'value Value, key: &str) -> &'value [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo metadata: {key} is a list"))
}

fn text<'value>(value: &'value Value, key: &str) -> &'value str {
    value[key].as_str().unwrap_or_else(|| panic!("cargo metadata: {key} is a text in {value}"))
}

fn workspace(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(metadata, "packages").iter().filter(|package| package["source"].is_null())
}

/// The names of all packages that get built for this one, its tests aside.
fn reached_from<'value>(metadata: &'value Value, name: &str) -> BTreeSet<&'value str> {
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"], "nodes").iter().map(|node| (text(node, "id"), node)).collect();

    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = names.iter().filter(|(_, known)| **known == name).map(|(id, _)| *id).collect();
    assert_eq!(open.len(), 1, "{name} is one package");
    while let Some(id) = open.pop() {
        for dependency in list(nodes[id], "deps") {
            let built = list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] != "dev");
            let id = text(dependency, "pkg");
            if built && reached.insert(id) {
                open.push(id);
            }
        }
    }
    reached.into_iter().map(|id| names[id]).collect()
}
